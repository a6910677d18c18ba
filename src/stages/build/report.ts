import type { Digest } from '../../kernel/digest.ts';
import type { StepStatus } from '../../kernel/release.ts';
import type { TestReport } from './reports/types.ts';

/** One thing a build was made from, as SLSA's `resolvedDependencies` wants it. */
export interface Material {
  /** A package URL, or `oci:repository`. */
  uri: string;
  /** Algorithm to hex. */
  digest: Readonly<Record<string, string>>;
}

export interface StepReport {
  name: string;
  status: StepStatus;
  attempts: number;
  network: boolean;
  cacheKey: Digest | null;
  /** The build whose outputs were used, when they came from the cache. */
  cachedFrom: string | null;
  durationMs: number;
  problem: string | null;
}

export interface LayerReport {
  name: string;
  digest: Digest;
  diffId: Digest;
  size: number;
  unpackedSize: number;
  /** Packed before, so not packed again. */
  cached: boolean;
}

/** What a build says about itself: kept in `builds.report`, and all the attest stage needs. Times in milliseconds. */
export interface BuildReport {
  buildId: string;
  service: string;
  commit: string;
  purpose: 'release' | 'verify';
  status: 'succeeded' | 'failed' | 'cancelled';
  startedAtMs: number;
  finishedAtMs: number;
  /** Kind, and what it means. */
  sandbox: { kind: string; words: string };
  toolchain: Readonly<Record<string, string>>;
  /** Over the source tree, the configuration of the build and the toolchain. */
  inputsDigest: Digest | null;
  /** Digest of the canonical build configuration. */
  configDigest: Digest | null;
  sourceDigest: Digest | null;
  cacheHits: number;
  steps: readonly StepReport[];
  criticalPath: { steps: readonly string[]; durationMs: number };
  testReports: readonly TestReport[];
  materials: readonly Material[];
  image: {
    repository: string;
    digest: Digest;
    mediaType: string;
    /** Manifest, configuration and all layers. */
    sizeBytes: number;
    tag: string;
    layers: readonly LayerReport[];
    base: { name: string; digest: Digest } | null;
    pushedBytes: number;
  } | null;
  error: { code: string; message: string; hint: string | null } | null;
  verify: VerifyReport | null;
}

/** `byte-identical`: one digest. `content-identical`: the same files in other bytes. `inconclusive`: could not be compared. */
export type Reproducibility = 'byte-identical' | 'content-identical' | 'diverged' | 'inconclusive';

export interface Difference {
  /** Layer name, or `configuration`. */
  layer: string;
  path: string;
  why:
    | 'only in the first'
    | 'only in the second'
    | 'type'
    | 'mode'
    | 'link'
    | 'time'
    | 'order'
    | 'size'
    | 'content'
    | 'bytes';
  /** Position of the first differing byte, for `content`. */
  offset: number | null;
  detail: string;
}

export interface VerifyReport {
  verdict: Reproducibility;
  reason: string;
  first: Difference | null;
  digests: readonly string[];
  /** Digest that was released for this commit, when there is one, and whether the first build gave it again. */
  released: { digest: string; reproduced: boolean } | null;
  /** What was really different between the two builds; and what could not be varied here. */
  varied: readonly string[];
  notVaried: readonly string[];
}

/** What a caller of `runBuild` gets. */
export type BuildOutcome = BuildReport & {
  digest: Digest | null;
  mediaType: string | null;
  sizeBytes: number | null;
};

export function outcomeOf(report: BuildReport): BuildOutcome {
  const { image } = report;
  return {
    ...report,
    digest: image?.digest ?? null,
    mediaType: image?.mediaType ?? null,
    sizeBytes: image?.sizeBytes ?? null,
  };
}
