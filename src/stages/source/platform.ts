import type { PlatformConfig } from '../../kernel/config.ts';
import { type Digest, isDigest, sha256 } from '../../kernel/digest.ts';
import { type Diagnostic, SlipwayError } from '../../kernel/errors.ts';
import { json, type Queryable } from '../../platform/postgres/database.ts';
import { DEFAULT_PLATFORM_FILES, defaultPlatform } from '../../support/config/default-platform.ts';
import { configDigest } from '../../support/config/digest.ts';
import { type ParsedPlatform, parsePlatform } from '../../support/config/platform.ts';
import { append } from '../../support/ledger/append.ts';
import type { SourceDeps } from './deps.ts';

export interface Platform {
  /** Over the resolved configuration: comments and the split into files do not matter. */
  digest: Digest;
  config: PlatformConfig;
  /** The documents as they were applied, by path. */
  files: Readonly<Record<string, string>>;
  /** Commit of the platform repository, when it came from one. */
  commit: string | null;
  /** null for the builtin one. */
  applied: { by: string; atMs: number } | null;
}

const CURRENT = 'platform.current';
const PATH = /^(?!\/)(?!.*(?:^|\/)\.\.?(?:\/|$))[A-Za-z0-9._/-]{1,200}$/;
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Everything wrong with a platform: its documents, and what its own policy tests find. */
export async function checkPlatformFiles(
  deps: Pick<SourceDeps, 'testPolicies'>,
  files: Readonly<Record<string, string>>,
): Promise<
  { config: PlatformConfig; diagnostics: [] } | { config: null; diagnostics: readonly Diagnostic[] }
> {
  const odd = Object.keys(files).find((path) => !PATH.test(path));
  if (odd !== undefined) {
    const message = 'expected a relative path of letters, digits and "._/-"';
    return { config: null, diagnostics: [{ path: odd.slice(0, 200), message }] };
  }
  const { config, diagnostics, policyPosition } = parsePlatform(files);
  if (config === null) return { config, diagnostics };
  const found = await deps.testPolicies(config.policies);
  if (found.length === 0) return { config, diagnostics: [] };
  const placed = found.map((diagnostic) => placeInFile(diagnostic, policyPosition));
  return { config: null, diagnostics: placed };
}

/** The gate knows a policy by name (`policy <name>`) and counts within its expression; people look into the file. */
function placeInFile(diagnostic: Diagnostic, policyPosition: ParsedPlatform['policyPosition']): Diagnostic {
  const { path, position, message } = diagnostic;
  const [, name] = /^policy (.+)$/.exec(position?.file ?? '') ?? [];
  if (name === undefined || !position) return diagnostic;
  const parts = path.split(/[.[\]]+/).filter(Boolean);
  const place = policyPosition(name, parts);
  if (!place) return diagnostic;
  const isInside = position.line > 1 || position.column > 1;
  const inside = isInside ? `, at line ${position.line}, column ${position.column} of the text` : '';
  return {
    ...diagnostic,
    path: `${name}.${path}`,
    message: `policy "${name}": ${message}${inside}`,
    position: place,
  };
}

/**
 * Makes `files` the platform, if they parse and their policy tests pass; else throws `invalid_config` with diagnostics and
 * nothing changes. Applying the current platform again changes nothing and is not recorded.
 */
export async function applyPlatform(
  deps: SourceDeps,
  wanted: { files: Readonly<Record<string, string>>; commit: string | null; actor: string },
): Promise<{ digest: Digest; changed: boolean }> {
  const { files, commit, actor } = wanted;
  if (commit !== null && !COMMIT.test(commit))
    throw new SlipwayError('invalid_input', 'commit: expected a full commit hash');
  const checked = await checkPlatformFiles(deps, files);
  if (checked.config === null) {
    const { diagnostics } = checked;
    const count = diagnostics.length === 1 ? 'an error' : `${diagnostics.length} errors`;
    throw new SlipwayError('invalid_config', `the platform has ${count} and was not applied`, {
      diagnostics,
    });
  }
  const { config } = checked;
  const digest = configDigest(config);
  const atMs = deps.clock.nowMs();
  const changed = await deps.database.transaction(async (tx) => {
    await tx.query(`insert into settings (key, value) values ($1, '{}') on conflict do nothing`, [CURRENT]);
    const [current] = await tx.query<{ digest: string | null }>(
      `select value->>'digest' as digest from settings where key = $1 for update`,
      [CURRENT],
    );
    if (current?.digest === digest) return false;
    await tx.query(
      `insert into platform_revisions (digest, document, files, commit_sha, applied_by, applied_at)
       values ($1, $2, $3, $4, $5, $6) on conflict (digest) do update
       set files = excluded.files, commit_sha = excluded.commit_sha, applied_by = excluded.applied_by,
           applied_at = excluded.applied_at`,
      [digest, json(config), json(files), commit, actor, new Date(atMs)],
    );
    await tx.query('update settings set value = $2 where key = $1', [CURRENT, json({ digest })]);
    const fileDigests = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, sha256(text)]));
    const data = { previous: current?.digest ?? null, commit, files: fileDigests };
    await append(tx, { kind: 'platform.applied', atMs, actor, subject: digest, data });
    return true;
  });
  return { digest, changed };
}

const cache = new WeakMap<Queryable, Platform>();

/**
 * The platform as it is now; the builtin one (dev, staging, prod) until somebody applies another. One small query when
 * nothing has changed. Throws `tampered` when the stored document is not the one that was applied.
 */
export async function currentPlatform(database: Queryable): Promise<Platform> {
  const [current] = await database.query<{ digest: string | null }>(
    `select value->>'digest' as digest from settings where key = $1`,
    [CURRENT],
  );
  if (!current?.digest) return builtinPlatform();
  const cached = cache.get(database);
  if (cached?.digest === current.digest) return cached;
  const [row] = await database.query<{
    document: PlatformConfig;
    files: Record<string, string>;
    commit_sha: string | null;
    applied_by: string;
    applied_at: Date;
  }>('select document, files, commit_sha, applied_by, applied_at from platform_revisions where digest = $1', [
    current.digest,
  ]);
  if (!row || !isDigest(current.digest) || configDigest(row.document) !== current.digest) {
    throw new SlipwayError('tampered', 'the stored platform is not the one that was applied', {
      hint: 'Apply the platform again.',
    });
  }
  const platform: Platform = {
    digest: current.digest,
    config: row.document,
    files: row.files,
    commit: row.commit_sha,
    applied: { by: row.applied_by, atMs: row.applied_at.getTime() },
  };
  cache.set(database, platform);
  return platform;
}

let builtin: Platform | undefined;

function builtinPlatform(): Platform {
  if (builtin) return builtin;
  const { config } = defaultPlatform();
  if (config === null) throw new SlipwayError('internal', 'the builtin platform does not parse');
  builtin = {
    digest: configDigest(config),
    config,
    files: DEFAULT_PLATFORM_FILES,
    commit: null,
    applied: null,
  };
  return builtin;
}
