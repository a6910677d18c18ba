import { SlipwayError } from '../../kernel/errors.ts';
import {
  fetchMirror,
  mirrorOf,
  passingMirror,
  removeMirror,
  settleMirror,
} from '../../platform/git/mirror.ts';
import { isRefName, resolveCommit } from '../../platform/git/objects.ts';
import { parseRepositoryUrl } from '../../platform/git/url.ts';
import { append } from '../../support/ledger/append.ts';
import { type ConfigAtCommit, readConfigAt } from './config.ts';
import type { SourceDeps } from './deps.ts';
import { currentPlatform } from './platform.ts';
import { findService, insertService, type ServiceRow } from './store.ts';

/** A first fetch of a service someone waits for. */
const REGISTER_TIMEOUT_MS = 120_000;

export interface Registration {
  service: ServiceRow;
  /** What forges sign webhooks with; null when the service was registered before: it is shown once. */
  hookSecret: string | null;
  created: boolean;
}

/**
 * Registers the service that the head of `branch` describes. Registering it again changes nothing. Throws
 * `invalid_config` with diagnostics, `invalid_input`, `source_unreachable`, `commit_not_found`, and `invalid_state` when
 * the name belongs to another repository.
 */
export async function registerService(
  deps: SourceDeps,
  wanted: { name?: string | undefined; repository: string; branch: string; actor: string },
): Promise<Registration> {
  const repositoryUrl = parseRepositoryUrl(wanted.repository);
  if (!isRefName(wanted.branch))
    throw new SlipwayError('invalid_input', 'branch: this is not the name of a branch');
  const { config: platform } = await currentPlatform(deps.database);
  const passing = passingMirror(deps.git);
  try {
    await fetchMirror(deps.git, passing, repositoryUrl, { timeoutMs: REGISTER_TIMEOUT_MS });
    const head = await resolveCommit(deps.git, passing, `refs/heads/${wanted.branch}`);
    const read = await readConfigAt(deps.git, passing, head, { name: wanted.name, platform });
    const registration = await store(deps, { ...wanted, repositoryUrl, head }, read);
    if (registration.created) await settleMirror(passing, mirrorOf(deps.git, registration.service.name));
    await deps.wake('source', registration.service.name);
    return registration;
  } finally {
    await removeMirror(passing);
  }
}

async function store(
  deps: SourceDeps,
  wanted: { repositoryUrl: string; branch: string; actor: string; head: string },
  { config, digest }: ConfigAtCommit,
): Promise<Registration> {
  const hookSecret = newHookSecret(deps);
  const service: ServiceRow = {
    name: config.name,
    repositoryUrl: wanted.repositoryUrl,
    branch: wanted.branch,
    hookSecretSealed: await deps.seal(hookSecret, hookContext(config.name)),
    createdAtMs: deps.clock.nowMs(),
    polledAtMs: null,
    pollProblem: null,
  };
  const created = await deps.database.transaction(async (tx) => {
    if (!(await insertService(tx, service))) return false;
    await append(tx, {
      kind: 'service.registered',
      atMs: service.createdAtMs,
      actor: wanted.actor,
      service: service.name,
      subject: service.name,
      data: {
        repository: service.repositoryUrl,
        branch: service.branch,
        commit: wanted.head,
        owner: config.owner,
        configDigest: digest,
      },
    });
    return true;
  });
  if (created) return { service, hookSecret, created };
  const existing = await findService(deps.database, config.name);
  if (existing && existing.repositoryUrl === service.repositoryUrl && existing.branch === service.branch) {
    return { service: existing, hookSecret: null, created: false };
  }
  throw new SlipwayError(
    'invalid_state',
    `the name "${config.name}" belongs to a service of another repository or branch`,
    {
      hint: `Change "name" in slipway.yaml, or look at "slipway status ${config.name}".`,
    },
  );
}

/**
 * 256 bits in the form of Standard Webhooks. GitHub, Gitea and Forgejo take the whole text as their secret, GitLab takes it
 * as secret token or as signing token.
 */
function newHookSecret(deps: SourceDeps): string {
  return `whsec_${Buffer.from(deps.clock.random(32)).toString('base64')}`;
}

/** Binds a sealed secret to its service. */
export function hookContext(service: string): string {
  return `services.hook_secret/${service}`;
}
