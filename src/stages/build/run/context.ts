import type { BuildStepConfig } from '../../../kernel/config.ts';
import type { Digest } from '../../../kernel/digest.ts';
import type { StepStatus } from '../../../kernel/release.ts';
import type { Limits } from '../../../platform/process/limits.ts';
import type { CacheIndex } from '../cache/index.ts';
import type { BuildDeps } from '../deps.ts';
import type { LogSink } from '../logs/writer.ts';
import type { TestReport } from '../reports/types.ts';
import type { StepChange } from '../store.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { Origin } from '../tree/place.ts';
import type { Variation } from './variation.ts';

/** One run of a build's steps: everything that does not change while it runs. */
export interface RunContext {
  deps: BuildDeps;
  buildId: string;
  service: string;
  commit: string;
  /** Committer time, seconds since 1970. */
  commitS: number;
  steps: readonly BuildStepConfig[];
  source: { directory: string; entries: readonly TreeEntry[] };
  /** Private to this run; removed by whoever made it. */
  workDirectory: string;
  cache: CacheIndex;
  toolchain: Readonly<Record<string, string>>;
  variation: Variation;
  limits: Limits;
  parallel: number;
  secrets: readonly string[];
  signal: AbortSignal;
  onStep(name: string, change: StepChange): Promise<void>;
  /** Where the log of a step goes; `alreadyBytes` counts what an interrupted run stored. */
  openLog(name: string): Promise<{ sink: LogSink; alreadyBytes: number }>;
}

/** What a finished step hands to the steps and layers after it. */
export interface StepOutput {
  entries: readonly TreeEntry[];
  origin: Origin;
}

export interface StepResult {
  name: string;
  status: StepStatus;
  attempts: number;
  /** Its address in the cache; null when its outputs are not kept. */
  key: Digest | null;
  /** What enters the keys of steps that need it: its key, else the digest of what it really left. */
  identity: Digest | null;
  /** Seconds: the time its outputs belong to. */
  epochS: number;
  cachedFrom: string | null;
  output: StepOutput | null;
  report: TestReport | null;
  exitCode: number | null;
  problem: string | null;
  durationMs: number;
}
