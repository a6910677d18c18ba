import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { local } from '../../../src/local.ts';
import type { Up } from '../../../src/up/up.ts';
import { type Api, createApi } from './api.ts';
import { pushForgeries } from './forgeries.ts';
import { type Load, startLoad } from './load.ts';
import { type DemoReport, judge, printReport } from './report.ts';
import { commitVersion, createShopRepository, type ShopCommit } from './repository.ts';
import type { Release, Rollout, VersionRun } from './story.ts';
import { createTimeline, type Timeline } from './timeline.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DATA = join(ROOT, '.slipway', 'demo');
const REPOSITORY = join(ROOT, '.slipway', 'demo-shop');
const PLATFORM = join(ROOT, 'examples', 'platform');
const RPS = 400;
const VERSION_DEADLINE_MS = 150_000;

/** The whole demonstration; gives the exit code. Whatever happens, what it started is stopped and the data stays. */
export async function runDemo(options: { once: boolean }): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  const timeline = createTimeline();
  let up: Up | null = null;
  let load: Load | null = null;
  try {
    await rm(DATA, { recursive: true, force: true });
    await rm(REPOSITORY, { recursive: true, force: true });
    up = await local.up({
      data: DATA,
      host: '127.0.0.1',
      port: 0,
      progress: (message) => timeline.say('slipway', message),
      signal: interrupted.signal,
    });
    const api = createApi(up.url, (await readFile(join(DATA, 'run', 'admin-token'), 'utf8')).trim());
    timeline.say('slipway', `up at ${up.url}`);
    void timeline.follow(api, interrupted.signal);
    await api.post('/v1/platform', { files: await platformFiles() });
    const report = await play(api, timeline, interrupted.signal, (started) => {
      load = started;
    });
    load = null;
    await writeFile(join(ROOT, 'demo-report.json'), `${JSON.stringify(report, null, 2)}\n`);
    printReport(report, api, DATA);
    if (!options.once && !interrupted.signal.aborted) {
      process.stderr.write('\nSlipway stays up until Ctrl-C.\n');
      await untilAborted(interrupted.signal);
    }
    return report.ok ? 0 : 1;
  } catch (error) {
    if (!interrupted.signal.aborted)
      process.stderr.write(
        `\nthe demo failed: ${(error as Error).stack ?? error}\nlogs: ${join(DATA, 'logs')}\n`,
      );
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    timeline.stop();
    interrupted.abort();
    await (load as Load | null)?.stop().catch(() => {});
    await up?.stop();
  }
}

async function platformFiles(): Promise<Record<string, string>> {
  const names = (await readdir(PLATFORM)).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await readFile(join(PLATFORM, name), 'utf8')] as const),
    ),
  );
}

/** The four commits in turn under load, then the two forged images. */
async function play(
  api: Api,
  timeline: Timeline,
  signal: AbortSignal,
  onLoad: (load: Load) => void,
): Promise<DemoReport> {
  const startedAtMs = Date.now();
  const [first] = await createShopRepository(REPOSITORY, { upTo: 1 });
  const runs: VersionRun[] = [];
  timeline.say('git', `${first?.sha.slice(0, 12)} ${first?.message.split('\n')[0]}`);
  await api.post('/v1/services', { repository: REPOSITORY, branch: 'main' });
  runs.push(await carry(api, first as ShopCommit, signal));
  const prod = await laneUrl(api);
  const load = await startLoad({ host: prod.hostname, port: Number(prod.port), rps: RPS, arrivals: 'even' });
  onLoad(load);
  timeline.watchLoad(load);
  timeline.say('load', `${RPS} requests a second through ${prod.origin} (shop in prod)`);
  for (const n of [2, 3, 4]) {
    if (signal.aborted) break;
    const commit = await commitVersion(REPOSITORY, n);
    timeline.say('git', `${commit.sha.slice(0, 12)} ${commit.message.split('\n')[0]}`);
    await api.post('/v1/services/shop/releases', { commit: commit.sha });
    runs.push(await carry(api, commit, signal));
  }
  const forgeries = await pushForgeries(api, runs[3]?.release.digest ?? '', timeline);
  const summary = await load.stop();
  const verification = await api.post<{ ok: boolean; size: number; root: string; problems: unknown[] }>(
    '/v1/ledger/verify',
    { artifacts: true },
  );
  return judge({ startedAtMs, endedAtMs: Date.now(), runs, summary, forgeries, verification, url: api.url });
}

/** Waits until the release has ended everywhere it goes. */
async function carry(api: Api, commit: ShopCommit, signal: AbortSignal): Promise<VersionRun> {
  const committedAtMs = Date.now();
  for (;;) {
    const { releases } = await api.get<{ releases: Release[] }>(
      `/v1/releases?service=shop&commit=${commit.sha}`,
    );
    const release = releases[0];
    const last = release?.promotions.find((promotion) => promotion.environment === 'prod');
    const dead = release?.promotions.find(
      (promotion) => promotion.endedAt !== null && promotion.status !== 'succeeded',
    );
    if (release && (release.status === 'failed' || dead || (last && last.endedAt !== null))) {
      return { commit, committedAtMs, release, rollouts: await rolloutsOf(api, release) };
    }
    if (signal.aborted) throw new Error('interrupted');
    if (Date.now() - committedAtMs > VERSION_DEADLINE_MS)
      throw new Error(`v${commit.n} did not come to an end: ${JSON.stringify(release)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function rolloutsOf(api: Api, release: Release): Promise<Record<string, Rollout>> {
  const ids = release.promotions.flatMap((promotion) =>
    promotion.rolloutId === null ? [] : [promotion.rolloutId],
  );
  const rollouts = await Promise.all(ids.map((id) => api.get<Rollout>(`/v1/rollouts/${id}`)));
  return Object.fromEntries(rollouts.map((rollout) => [rollout.environment, rollout]));
}

async function laneUrl(api: Api): Promise<URL> {
  const { services } = await api.get<{
    services: { cells: { environment: string; url: string | null }[] }[];
  }>('/v1/matrix?service=shop');
  const url = services[0]?.cells.find((cell) => cell.environment === 'prod')?.url;
  if (!url) throw new Error('v1 did not reach prod: its lane has no address');
  return new URL(url);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
