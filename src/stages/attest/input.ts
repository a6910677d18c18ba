import type { Digest } from '../../kernel/digest.ts';

/** What a finished build says about itself: all that its evidence is made of. Same input, same statements. */
export interface AttestationInput {
  service: string;
  /** The artifact: where it is in the registry, and its manifest's digest. */
  repository: string;
  digest: Digest;
  /** Where the source came from; credentials in it are dropped. */
  repositoryUrl: string;
  commitSha: string;
  commitTimeMs: number;
  /** Of the canonical service configuration. */
  configDigest: Digest;
  buildId: string;
  startedAtMs: number;
  finishedAtMs: number;
  /** Tool and version: `node` to `24.21.0`. */
  toolchain: Readonly<Record<string, string>>;
  /** What else entered the build, such as the base image. */
  materials: readonly Material[];
  lockfiles: readonly { path: string; bytes: Uint8Array }[];
  tests: readonly TestReport[];
  sandbox: string;
  cacheHits: number;
}

export interface Material {
  /** A URI (`pkg:oci/…`, `git+https://…`). */
  uri: string;
  name?: string | undefined;
  /** Algorithm to hex. */
  digest: Readonly<Record<string, string>>;
}

export interface TestReport {
  /** The step that wrote it. */
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  failedNames: readonly string[];
}
