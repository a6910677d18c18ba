import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { readCommit } from '../../platform/git/commit.ts';
import { fetchMirror, mirrorOf } from '../../platform/git/mirror.ts';
import { firstParents, isCommitSha, resolveCommit } from '../../platform/git/objects.ts';
import type { Transaction } from '../../platform/postgres/database.ts';
import { append } from '../../support/ledger/append.ts';
import { readConfigAt } from './config.ts';
import { SOURCE_ACTOR, type SourceDeps } from './deps.ts';
import { planBranch } from './plan.ts';
import {
  findService,
  insertCommit,
  knownCommits,
  lockService,
  recordPoll,
  type ServiceRow,
} from './store.ts';

/** How far back a pass looks for the last commit it knows. */
const MAX_CHAIN = 200;

export interface PollResult {
  head: string | null;
  /** Commits recorded now, oldest first. */
  recorded: readonly string[];
  /** Ids of the releases made now, oldest first. */
  releases: readonly string[];
  /** Why the repository could not be read; it is stored with the service and the next pass tries again. */
  problem: string | null;
}

/**
 * The source reconciler: fetches, records new commits, makes releases. The commit of a pass: under the lock of the
 * service's row the head is read from the mirror again, so that of two passes the later one never goes back to what the
 * earlier one fetched; rows, ledger entries and releases are one transaction. A crash anywhere is healed by the next pass.
 * A repository that cannot be read is a recorded problem, not an error.
 */
export async function pollService(deps: SourceDeps, name: string, signal?: AbortSignal): Promise<PollResult> {
  const service = await findService(deps.database, name);
  if (!service) throw new SlipwayError('not_found', `there is no service "${name}"`);
  try {
    await fetchMirror(deps.git, mirrorOf(deps.git, name), service.repositoryUrl, signal ? { signal } : {});
    return await deps.database.transaction((tx) => recordBranch(deps, tx, name));
  } catch (error) {
    if (!isSourceProblem(error)) throw error;
    const problem = `${error.message}${error.hint ? ` ${error.hint}` : ''}`.slice(0, 2000);
    deps.log.warn(
      { service: name, code: error.code, reason: error.facts.reason },
      'the repository cannot be read',
    );
    await recordPoll(deps.database, name, deps.clock.nowMs(), problem);
    return { head: null, recorded: [], releases: [], problem };
  }
}

/** What a person has to mend at the repository, or waits for it; the rest is ours. */
function isSourceProblem(error: unknown): error is SlipwayError {
  const codes = [
    'source_unreachable',
    'commit_not_found',
    'invalid_input',
    'disk_full',
    'timeout',
    'payload_too_large',
  ];
  return isSlipwayError(error) && codes.includes(error.code);
}

async function recordBranch(deps: SourceDeps, tx: Transaction, name: string): Promise<PollResult> {
  const service = await lockService(tx, name);
  if (!service) throw new SlipwayError('not_found', `there is no service "${name}"`);
  const mirror = mirrorOf(deps.git, name);
  const atMs = deps.clock.nowMs();
  const head = await resolveCommit(deps.git, mirror, `refs/heads/${service.branch}`);
  const chain = await firstParents(deps.git, mirror, head, MAX_CHAIN);
  const seen = await knownCommits(tx, name, chain);
  const plan = planBranch({
    chain,
    ...seen,
    releases: await releaseMode(deps, service, head, seen.known.has(head)),
  });
  for (const sha of plan.record)
    await recordCommit(deps, tx, name, sha, `refs/heads/${service.branch}`, atMs);
  const releases: string[] = [];
  for (const sha of plan.release) {
    releases.push(await deps.createRelease(tx, { service: name, sha, actor: SOURCE_ACTOR, atMs }));
  }
  await recordPoll(tx, name, atMs, null);
  return { head, recorded: plan.record, releases, problem: null };
}

/** A head whose configuration has errors is released as the latest: the release then fails, and shows them. */
async function releaseMode(
  deps: SourceDeps,
  service: ServiceRow,
  head: string,
  headIsKnown: boolean,
): Promise<'latest' | 'every'> {
  if (headIsKnown) return 'latest';
  try {
    return (await readConfigAt(deps.git, mirrorOf(deps.git, service.name), head)).releases;
  } catch (error) {
    if (isSlipwayError(error)) return 'latest';
    throw error;
  }
}

async function recordCommit(
  deps: SourceDeps,
  tx: Transaction,
  service: string,
  sha: string,
  ref: string,
  atMs: number,
): Promise<void> {
  const commit = await readCommit(deps.git, mirrorOf(deps.git, service), sha);
  if (!(await insertCommit(tx, service, commit, { ref, atMs }))) return;
  await append(tx, {
    kind: 'commit.seen',
    atMs,
    actor: SOURCE_ACTOR,
    service,
    subject: sha,
    data: {
      ref,
      parents: commit.parents,
      author: commit.author,
      committedAt: new Date(commit.committedAtMs).toISOString(),
      signature: commit.signature,
      title: (commit.message.split('\n')[0] ?? '').slice(0, 200),
    },
  });
}

/**
 * The commit a person names by branch, tag or hash, recorded so that a release can be made of it. Fetches first, unless a
 * full hash is known. Throws `not_found`, `commit_not_found`, `source_unreachable`, `invalid_input`.
 */
export async function ensureCommit(deps: SourceDeps, name: string, ref: string): Promise<string> {
  const service = await findService(deps.database, name);
  if (!service) throw new SlipwayError('not_found', `there is no service "${name}"`);
  if (isCommitSha(ref) && (await knownCommits(deps.database, name, [ref])).known.has(ref)) return ref;
  const mirror = mirrorOf(deps.git, name);
  await fetchMirror(deps.git, mirror, service.repositoryUrl);
  const sha = await resolveCommit(deps.git, mirror, ref);
  await deps.database.transaction(async (tx) => {
    await lockService(tx, name);
    await recordCommit(
      deps,
      tx,
      name,
      sha,
      sha.startsWith(ref) ? `refs/heads/${service.branch}` : ref,
      deps.clock.nowMs(),
    );
  });
  return sha;
}
