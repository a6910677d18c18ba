import { pathToFileURL } from 'node:url';
import type { Digest } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { exportTree } from '../platform/git/export.ts';
import { mirrorOf } from '../platform/git/mirror.ts';
import { readFileAt } from '../platform/git/objects.ts';
import { detectSandbox } from '../platform/process/detect.ts';
import { findToolchain } from '../platform/process/toolchain.ts';
import { attestArtifact } from '../stages/attest/apply.ts';
import { abandonBuild, runBuild } from '../stages/build/apply.ts';
import type { BuildDeps } from '../stages/build/deps.ts';
import { lastChanged } from '../stages/build/last-changed.ts';
import type { BuildReport } from '../stages/build/report.ts';
import { readConfigAt } from '../stages/source/config.ts';
import { append } from '../support/ledger/append.ts';
import { builderId, type Machine } from './machine.ts';
import type { BuiltArtifact } from './releases.ts';

/** The build stage with the source stage's trees, in the strongest sandbox that works on this machine. */
export async function buildDeps(machine: Machine): Promise<BuildDeps> {
  const { database, clock, log, registry, git, data } = machine;
  const toolchain = findToolchain(process.env.PATH ?? '');
  const sandbox = await detectSandbox({ toolchain, hidden: [data.root] });
  log.info({ sandbox: sandbox.kind }, 'builds run in this sandbox');
  return {
    database,
    clock,
    log,
    dataDirectory: data.root,
    registry,
    sandbox,
    toolchain,
    exportTree: (service, sha, directory) => exportTree(git, mirrorOf(git, service), sha, directory),
    loadConfig: async (service, sha) =>
      (await readConfigAt(git, mirrorOf(git, service), sha, { name: service })).config,
    append,
    lastChanged: (service, sha, paths) => lastChanged(git, mirrorOf(git, service), sha, paths),
    secrets: () => secretsOf(machine),
    operatorEnv: process.env,
  };
}

/** What must never show in a log, though no step is given it: an environment that leaks is told from one that does not. */
function secretsOf({ runtime }: Machine): string[] {
  const { password } = new URL(runtime.databaseUrl);
  return [runtime.controlToken, ...(password === '' ? [] : [password])];
}

export async function build(deps: BuildDeps, buildId: string, signal: AbortSignal): Promise<BuiltArtifact> {
  const outcome = await runBuild(deps, buildId, signal);
  const { image, error } = outcome;
  if (outcome.status !== 'succeeded' || image === null) {
    const code = outcome.status === 'cancelled' ? 'cancelled' : codeOf(error?.code);
    throw new SlipwayError(
      code,
      error?.message ?? `the build ${outcome.status}`,
      error?.hint ? { hint: error.hint } : {},
    );
  }
  return {
    buildId,
    repository: image.repository,
    digest: image.digest,
    mediaType: image.mediaType,
    sizeBytes: image.sizeBytes,
  };
}

/** Builds of a release that has been given up end with the reason; finished ones stay as they are. */
export async function abandon(deps: BuildDeps, releaseId: string, error: unknown): Promise<void> {
  const open = await deps.database.query<{ id: string }>(
    'select id from builds where release_id = $1 and finished_at is null',
    [releaseId],
  );
  for (const { id } of open) await abandonBuild(deps, id, error);
}

/** A finished build's failure is terminal, whatever the code says of retries. */
function codeOf(
  code: string | undefined,
): 'step_failed' | 'lockfile_broken' | 'invalid_config' | 'image_missing' {
  return code === 'lockfile_broken' || code === 'invalid_config' || code === 'image_missing'
    ? code
    : 'step_failed';
}

/** A local repository is registered by its path; evidence names it by URL. */
function asUrl(repository: string): string {
  return repository.startsWith('/') ? pathToFileURL(repository).href : repository;
}

interface Origin {
  service: string;
  commit_sha: string;
  committed_at: Date;
  repository_url: string;
  config_digest: Digest;
  report: BuildReport;
}

/** Lockfiles larger than this are not one. */
const LOCKFILE_BYTES = 32 * 1_048_576;
const LOCKFILES = ['package-lock.json', 'npm-shrinkwrap.json'];

/** The attest stage over what the build's report says. */
export async function attest(
  machine: Machine,
  releaseId: string,
  artifact: BuiltArtifact,
  signal: AbortSignal,
): Promise<void> {
  const { database, registry, keyring, ledger, clock, git } = machine;
  const [origin] = await database.query<Origin>(
    `select r.service, r.commit_sha, r.config_digest, c.committed_at, s.repository_url, b.report
     from releases r join commits c on c.service = r.service and c.sha = r.commit_sha
     join services s on s.name = r.service join builds b on b.id = $2 where r.id = $1`,
    [releaseId, artifact.buildId],
  );
  if (origin === undefined)
    throw new SlipwayError('internal', `release ${releaseId} has no build ${artifact.buildId}`);
  const { service, commit_sha: commitSha, report } = origin;
  const lockfiles = [];
  for (const path of LOCKFILES) {
    const bytes = await readFileAt(git, mirrorOf(git, service), commitSha, path, LOCKFILE_BYTES);
    if (bytes !== null) lockfiles.push({ path, bytes });
  }
  await attestArtifact(
    {
      database,
      registry,
      signer: keyring.signer('build'),
      log: ledger,
      clock,
      actor: 'system:worker',
      builderId: builderId(machine),
      signal,
    },
    {
      service,
      repository: artifact.repository,
      digest: artifact.digest,
      repositoryUrl: asUrl(origin.repository_url),
      commitSha,
      commitTimeMs: origin.committed_at.getTime(),
      configDigest: origin.config_digest,
      buildId: artifact.buildId,
      startedAtMs: report.startedAtMs,
      finishedAtMs: report.finishedAtMs,
      toolchain: report.toolchain,
      materials: report.materials,
      lockfiles,
      tests: report.testReports.map(({ step, ...counts }) => ({ name: step, ...counts })),
      sandbox: report.sandbox.words,
      cacheHits: report.cacheHits,
    },
  );
}
