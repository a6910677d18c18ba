/** What was found out about a project; `slipway init` writes its first configuration from this alone. */
export interface ProjectFacts {
  name: string;
  description: string;
  steps: readonly StepFacts[];
  layers: readonly { name: string; from: readonly string[]; why: string }[];
  entrypoint: readonly string[];
  ports: readonly number[];
  /** Path of a readiness endpoint in the source; null: none found. */
  readiness: string | null;
  /** Sentences for the person: what was found, what to look at. */
  findings: readonly string[];
}

export interface StepFacts {
  name: string;
  run: string;
  needs?: readonly string[];
  network?: boolean;
  inputs?: readonly string[];
  outputs?: readonly string[];
  report?: { format: 'junit' | 'tap'; path: string };
  why: string;
}
