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

/** One environment that takes a digest only when somebody asks, so that no rollout runs beside the measurement. */
const PLATFORM = `apiVersion: slipway.dev/v1
kind: Environment
name: dev
policies: []
strategy: all-at-once
promotion: { automatic: false }
`;

const { cold, rounds } = await withInstallation(async ({ api, home }) => {
  const repository = join(home, 'shop');
  await createShopRepository(repository, { upTo: 1 });
  await declareInputs(repository);
  await api.post('/v1/platform', { files: { 'environments.yaml': PLATFORM } });
  await api.post('/v1/services', { repository, branch: 'main' });
  const cold = await timed(() => release(api, repository, 'first'));
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await timed(() => release(api, repository, `round ${i}`)));
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

async function release(api: Api, repository: string, line: string): Promise<void> {
  await appendFile(join(repository, 'README.md'), `\n${line}\n`);
  git(repository, 'commit', '--quiet', '--all', '--message', line);
  const sha = git(repository, 'rev-parse', 'HEAD').trim();
  const { id } = await api.post<{ id: string }>('/v1/services/shop/releases', { commit: sha });
  for (const started = Date.now(); Date.now() - started < RELEASE_DEADLINE_MS; await pause(POLL_MS)) {
    const { digest, problem } = await api.get<{ digest: string | null; problem: string | null }>(
      `/v1/releases/${id}`,
    );
    if (problem) throw new Error(problem);
    if (digest) return;
  }
  throw new Error(`release ${id} did not end`);
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
