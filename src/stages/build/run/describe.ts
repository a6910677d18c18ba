import { isSlipwayError } from '../../../kernel/errors.ts';
import { MEDIA } from '../../../platform/oci/types.ts';
import { SANDBOX_WORDS } from '../../../platform/process/sandbox.ts';
import { toolchainVersions } from '../../../platform/process/toolchain.ts';
import type { BuildDeps } from '../deps.ts';
import { maskAll } from '../logs/mask.ts';
import { criticalPath } from '../plan.ts';
import type { BuildReport } from '../report.ts';
import type { BuildSubject } from '../store.ts';
import { storable } from '../text.ts';
import { imageTag, type Produced } from './produce.ts';

/** The report of a build as far as it came. `error` null: it succeeded. */
export function makeReport(
  deps: BuildDeps,
  subject: BuildSubject,
  produced: Produced,
  run: { startedAtMs: number; error: unknown; pushedBytes: number },
): BuildReport {
  const { results, image, build } = produced;
  const durations = Object.fromEntries(results.map(({ name, durationMs }) => [name, durationMs]));
  const error = describe(deps, run.error);
  const network = new Set(build?.steps.filter((step) => step.network).map(({ name }) => name));
  return {
    buildId: subject.id,
    service: subject.service,
    commit: subject.commit_sha,
    purpose: subject.purpose,
    status: error === null ? 'succeeded' : error.code === 'cancelled' ? 'cancelled' : 'failed',
    startedAtMs: run.startedAtMs,
    finishedAtMs: deps.clock.nowMs(),
    sandbox: { kind: deps.sandbox.kind, words: SANDBOX_WORDS[deps.sandbox.kind] },
    toolchain: toolchainVersions(deps.toolchain),
    inputsDigest: produced.inputsDigest,
    configDigest: produced.configDigest,
    sourceDigest: produced.sourceDigest,
    cacheHits: results.filter(({ status }) => status === 'cached').length,
    steps: results.map(({ name, status, attempts, key, cachedFrom, durationMs, problem }) => {
      return {
        name,
        status,
        attempts,
        network: network.has(name),
        cacheKey: key,
        cachedFrom,
        durationMs,
        problem,
      };
    }),
    criticalPath: criticalPath(build?.steps ?? [], durations),
    testReports: results.flatMap(({ report }) => report ?? []),
    materials: produced.materials,
    image: image && error === null ? imageReport(deps, subject, image, run.pushedBytes) : null,
    error,
    verify: null,
  };
}

function imageReport(
  deps: BuildDeps,
  subject: BuildSubject,
  image: NonNullable<Produced['image']>,
  pushedBytes: number,
): NonNullable<BuildReport['image']> {
  return {
    repository: repositoryOf(deps, subject),
    digest: image.documents.manifest.digest,
    mediaType: MEDIA.imageManifest,
    sizeBytes: image.sizeBytes,
    tag: imageTag(subject.commit_sha),
    layers: image.layers,
    base: image.base && { name: image.base.name, digest: image.base.digest },
    pushedBytes,
  };
}

function describe(deps: BuildDeps, error: unknown): BuildReport['error'] {
  if (error === null) return null;
  const secrets = deps.secrets();
  if (!isSlipwayError(error))
    return { code: 'internal', message: storable(maskAll(String(error), secrets)), hint: null };
  return { code: error.code, message: storable(maskAll(error.message, secrets)), hint: error.hint ?? null };
}

/** Where the service's images are in the registry. */
export function repositoryOf(deps: BuildDeps, { service }: BuildSubject): string {
  return deps.repositoryOf?.(service) ?? service;
}
