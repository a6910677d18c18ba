import type { AnalysisSpec, RolloutStep, RoutingSpec, StrategyKind } from './rollout.ts';

/**
 * Configuration after parsing: units resolved (seconds, bytes), defaults filled in. The YAML form with its descriptions
 * is in support/config; the published JSON Schemas are generated from there.
 */

/** `slipway.yaml` in a service's repository. */
export interface ServiceConfig {
  name: string;
  owner: string;
  description: string;
  build: BuildConfig;
  run: RunConfig;
}

export interface BuildConfig {
  steps: readonly BuildStepConfig[];
  image: ImageConfig;
}

/** One node of the build DAG: a shell command in the sandbox's copy of the source. */
export interface BuildStepConfig {
  name: string;
  run: string;
  needs: readonly string[];
  /** The step may reach the network; else it has none. */
  network: boolean;
  /** Globs below the source root whose content enters the cache key; empty: the whole source. */
  inputs: readonly string[];
  /** Paths the step leaves behind for later steps and the image; kept in the cache. */
  outputs: readonly string[];
  env: Readonly<Record<string, string>>;
  cache: boolean;
  timeoutS: number;
  retries: number;
  /** JUnit XML or TAP file that the step writes, relative to the source root. */
  report: { format: 'junit' | 'tap'; path: string } | null;
}

export interface ImageConfig {
  /** `scratch`, or `repository@sha256:…` in the registry. */
  base: string;
  layers: readonly { name: string; from: readonly string[]; to: string; exclude: readonly string[] }[];
  entrypoint: readonly string[];
  command: readonly string[];
  workdir: string;
  env: Readonly<Record<string, string>>;
  user: string;
  ports: readonly number[];
  labels: Readonly<Record<string, string>>;
  compression: 'gzip' | 'zstd';
}

/** How an instance runs; the instance learns its port from `PORT`. */
export interface RunConfig {
  env: Readonly<Record<string, string>>;
  /** By environment; `default` for the rest. */
  instances: Readonly<Record<string, number>>;
  readiness: { path: string; periodMs: number; timeoutMs: number; failureThreshold: number };
  startTimeoutMs: number;
  stopGraceMs: number;
  resources: { memoryBytes: number | null; openFiles: number | null };
  /** A strategy's name by environment; else the environment's own. */
  strategy: Readonly<Record<string, string>>;
}

/** The platform folder: any number of YAML files, each with documents of these kinds. */
export interface PlatformConfig {
  environments: readonly EnvironmentConfig[];
  strategies: readonly StrategyConfig[];
  policies: readonly PolicyConfig[];
  access: AccessConfig;
}

export interface EnvironmentConfig {
  name: string;
  /** The environment a digest must have succeeded in before; null for the first. */
  after: string | null;
  production: boolean;
  /** Names of the policies that gate it. */
  policies: readonly string[];
  promotion: {
    automatic: boolean;
    /** Seconds the digest must have run healthy in `after`. */
    soakS: number;
    /** null: nobody needs to say yes. */
    approvals: { count: number; from: readonly string[]; notAuthor: boolean } | null;
    /** A promotion that has not ended by then expires. */
    deadlineS: number;
  };
  strategy: string;
  target: { kind: 'process' };
  /** Router port of each lane here; null: any free one, kept for ever. */
  listenPort: number | null;
  /** Environment variables every instance here gets. */
  env: Readonly<Record<string, string>>;
}

export interface StrategyConfig {
  name: string;
  kind: StrategyKind;
  steps: readonly RolloutStep[];
  canaryInstances: number;
  baselineInstances: number;
  progressDeadlineS: number;
  readyDeadlineS: number;
  drainS: number;
  onInconclusive: 'rollback' | 'pause';
  analysis: AnalysisSpec | null;
  routing: RoutingSpec;
}

export interface PolicyConfig {
  name: string;
  description: string;
  severity: 'warn' | 'block';
  /** CEL over the declared facts; must give a boolean. */
  allow: string;
  /** What to tell the person when it is false; may use `{{ expression }}`. */
  message: string;
  tests: readonly { name: string; facts: Readonly<Record<string, unknown>>; expect: 'allow' | 'deny' }[];
}

export interface AccessConfig {
  /** Verbs of each role. */
  roles: Readonly<Record<string, readonly string[]>>;
  /** Who has a role where; `*` for every service or environment. */
  grants: readonly {
    subject: string;
    role: string;
    services: readonly string[];
    environments: readonly string[];
  }[];
}
