import { execFileSync } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Api } from '../demo/api.ts';
import { createShopRepository } from '../demo/repository.ts';
import { median, withInstallation } from './installation.ts';

/**
 * `node script/lib/bench/cached-release.ts [rounds]`: how long a release takes that has nothing to do: each round commits a
 * line to README.md, asks for a release and waits until the artifact is registered and its release says so.
 */
const ROUNDS = Number(process.argv[2] ?? 10);
const POLL_MS = 10;
const RELEASE_DEADLINE_MS = 120_000;

/** Environments that take a digest only when somebody asks, so that no rollout runs beside the measurement. */
const PLATFORM = ['dev', 'staging', 'prod']
  .map(
    (name, i, all) => `apiVersion: slipway.dev/v1
kind: Environment
name: ${name}
${i === 0 ? '' : `after: ${all[i - 1]}\n`}policies: []
strategy: all-at-once
promotion: { automatic: false }
`,
  )
  .join('---\n');

interface Round {
  /** From `git commit` to the registered artifact. */
  wholeMs: number;
  /** The request: git is fetched, the release is created. */
  requestMs: number;
  /** The build as the server saw it. */
  buildMs: number;
}

const { cold, rounds } = await withInstallation(async ({ api, home }) => {
  const repository = join(home, 'shop');
  await createShopRepository(repository, { upTo: 1 });
  await declareInputs(repository);
  const first = commitAll(repository, 'first');
  await api.post('/v1/platform', { files: { 'environments.yaml': PLATFORM } });
  const from = performance.now();
  await api.post('/v1/services', { repository, branch: 'main' });
  await registered(api, first);
  const cold = performance.now() - from;
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await release(api, repository, i));
  return { cold, rounds };
});
const of = (member: keyof Round) => Math.round(median(rounds.map((round) => round[member])));
const most = Math.round(Math.max(...rounds.map(({ wholeMs }) => wholeMs)));
console.log(
  `fully cached release: ${of('wholeMs')} ms median of ${rounds.length}, ${most} ms at most (goal < 1000 ms)`,
);
console.log(`  of it ${of('requestMs')} ms until the request is answered, ${of('buildMs')} ms of building`);
console.log(`first release, nothing cached: ${Math.round(cold)} ms, npm ci and the service's tests among it`);
// Nothing of it is left, but a kept-alive connection would hold the process a while.
process.exit(0);

/** The shop's test step takes the whole source as its input; here a change to README.md leaves every step as it was. */
async function declareInputs(repository: string): Promise<void> {
  const path = join(repository, 'slipway.yaml');
  const text = await readFile(path, 'utf8');
  const narrowed = text.replace(
    '      needs: [install]\n',
    '      needs: [install]\n      inputs: [package.json, src, test]\n',
  );
  if (narrowed === text) throw new Error('the shop has no test step that needs [install]');
  await writeFile(path, narrowed);
}

async function release(api: Api, repository: string, round: number): Promise<Round> {
  await appendFile(join(repository, 'README.md'), `\nRound ${round}.\n`);
  const from = performance.now();
  const commit = commitAll(repository, `round ${round}`);
  const requested = performance.now();
  await api.post('/v1/services/shop/releases', { commit });
  const requestMs = performance.now() - requested;
  const buildId = await registered(api, commit);
  const wholeMs = performance.now() - from;
  const { durationMs } = await api.get<{ durationMs: number | null }>(`/v1/builds/${buildId}`);
  return { wholeMs, requestMs, buildMs: durationMs ?? Number.NaN };
}

interface Listed {
  digest: string | null;
  problem: string | null;
  buildId: string | null;
}

/** Waits until the release of the commit has its artifact; gives the build. */
async function registered(api: Api, commit: string): Promise<string | null> {
  for (const started = Date.now(); Date.now() - started < RELEASE_DEADLINE_MS; await pause(POLL_MS)) {
    const { releases } = await api.get<{ releases: Listed[] }>(`/v1/releases?service=shop&commit=${commit}`);
    const [found] = releases;
    if (found?.problem) throw new Error(found.problem);
    if (found?.digest) return found.buildId;
  }
  throw new Error(`the release of ${commit} did not end`);
}

function commitAll(repository: string, message: string): string {
  git(repository, 'commit', '--quiet', '--all', '--message', message);
  return git(repository, 'rev-parse', 'HEAD').trim();
}

function git(cwd: string, ...args: string[]): string {
  const settings = [
    'user.name=bench',
    'user.email=bench@example.com',
    'commit.gpgSign=false',
    'core.hooksPath=/dev/null',
  ];
  return execFileSync('git', [...settings.flatMap((setting) => ['-c', setting]), ...args], {
    cwd,
    encoding: 'utf8',
  });
}
