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

const { cold, rounds } = await withInstallation(async ({ api, home }) => {
  const repository = join(home, 'shop');
  await createShopRepository(repository, { upTo: 1 });
  await declareInputs(repository);
  const first = commitAll(repository, 'first');
  await api.post('/v1/platform', { files: { 'environments.yaml': PLATFORM } });
  const cold = await timed(async () => {
    await api.post('/v1/services', { repository, branch: 'main' });
    await registered(api, first);
  });
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await timed(() => release(api, repository, i)));
  return { cold, rounds };
});
console.log(
  `fully cached release: ${Math.round(median(rounds))} ms median, ${Math.round(Math.max(...rounds))} ms at most,`,
);
console.log(`  ${rounds.length} rounds, from git commit to registered artifact (goal < 1000 ms)`);
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

async function release(api: Api, repository: string, round: number): Promise<void> {
  await appendFile(join(repository, 'README.md'), `\nRound ${round}.\n`);
  const commit = commitAll(repository, `round ${round}`);
  await api.post('/v1/services/shop/releases', { commit });
  await registered(api, commit);
}

async function registered(api: Api, commit: string): Promise<void> {
  for (const started = Date.now(); Date.now() - started < RELEASE_DEADLINE_MS; await pause(POLL_MS)) {
    const { releases } = await api.get<{ releases: { digest: string | null; problem: string | null }[] }>(
      `/v1/releases?service=shop&commit=${commit}`,
    );
    if (releases[0]?.problem) throw new Error(releases[0].problem);
    if (releases[0]?.digest) return;
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

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}
