import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../src/kernel/digest.ts';
import { freePort } from '../src/platform/ports.ts';
import { openDatabase, type Transaction } from '../src/platform/postgres/database.ts';
import { startPostgres } from '../src/platform/postgres/embedded.ts';
import { migrate } from '../src/platform/postgres/migrate.ts';
import { reconcileRollouts } from '../src/stages/rollout/apply.ts';
import { createRollout } from '../src/stages/rollout/create.ts';
import {
  depsOf,
  memoryTarget,
  newRollout,
  seedRelease,
  specOf,
  type TestClock,
  testClock,
} from '../src/stages/rollout/rollout.testing.ts';
import { append } from '../src/support/ledger/append.ts';

/**
 * Passes a second of one worker over active rollouts that hold a step, on an embedded PostgreSQL that keeps what it says
 * (fsync on), with a data plane in memory: what the control plane itself costs. `node bench/reconcile.ts [counts...]`
 */
const COUNTS = process.argv.slice(2).map(Number);
const SECONDS = 5;
const CHUNK = 200;
const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
/** Each holds its only step for longer than the bench lasts. */
const SPEC = specOf({
  steps: [{ weight: 10, minimumS: 86_400, requirePass: true, manual: false, deadlineS: 172_800 }],
  instances: 4,
  canaryInstances: 2,
  baselineInstances: 2,
  progressDeadlineS: 1_000_000,
});

const home = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
const server = await startPostgres({ directory: join(home, 'cluster'), port: await freePort() });
const database = openDatabase(server.url, { applicationName: 'bench' });
const figures: Record<string, Record<string, number>> = {};
try {
  await migrate(database, MIGRATIONS);
  for (const count of COUNTS.length > 0 ? COUNTS : [1_000, 10_000])
    figures[`${count} rollouts`] = await measure(count);
  console.table(figures);
  console.log(JSON.stringify(figures));
} finally {
  await database.close();
  await server.stop();
  rmSync(home, { recursive: true, force: true });
}

async function measure(count: number): Promise<Record<string, number>> {
  const clock = testClock();
  const target = memoryTarget();
  const deps = depsOf(database, target, clock);
  await database.query(
    'truncate rollout_actions, analyses, rollouts, lanes, releases, commits, services, artifacts, ledger_pending cascade',
  );
  for (let n = 0; n < count; n += CHUNK)
    await database.transaction((tx) => seed(tx, n, Math.min(count, n + CHUNK), clock));
  const advanced = await timed(() => untilHolding(deps, clock));
  await database.query('vacuum analyze rollouts');
  // Nothing changes any more: the data plane answers from what it knows.
  const seen = await target.observe([...target.routes.keys()]);
  target.observe = async (lanes) => new Map(lanes.map((lane) => [lane, seen.get(lane)!]));
  const cpu = process.cpuUsage();
  let passes = 0;
  const started = performance.now();
  while (performance.now() - started < SECONDS * 1_000) {
    clock.forward(1_000);
    for (let n = await reconcileRollouts(deps); n > 0; n = await reconcileRollouts(deps)) passes += n;
  }
  const ms = performance.now() - started;
  const used = process.cpuUsage(cpu);
  return {
    'holding passes/s': Math.round((passes / ms) * 1_000),
    'worker CPU us/pass': Math.round((used.user + used.system) / passes),
    'first step passes/s': Math.round(((await changedPasses()) / advanced) * 1_000),
  };
}

/** Two versions a lane: the first is written as if it had taken over, the second is rolled out. */
async function seed(tx: Transaction, from: number, to: number, clock: TestClock): Promise<void> {
  for (let n = from; n < to; n++) {
    const service = `s${n}`;
    const [old, next] = [sha256(`old ${n}`), sha256(`new ${n}`)];
    const before = await seedRelease(tx, { service, digest: old, number: 1 });
    const releaseId = await seedRelease(tx, { service, digest: next, number: 2 });
    await tx.query(
      `insert into lanes (service, environment, digest, release_id, repository, since, listen_port)
       values ($1, 'prod', $2, $3, $1, $4, 8080)`,
      [service, old, before, new Date(clock.nowMs())],
    );
    await createRollout(append, tx, newRollout(clock, { service, digest: next, releaseId, spec: SPEC }));
  }
}

/** All on their first step, its weight seen. */
async function untilHolding(
  deps: ReturnType<typeof depsOf>,
  clock: ReturnType<typeof testClock>,
): Promise<void> {
  for (let i = 0; i < 50; i++) {
    while ((await reconcileRollouts(deps)) > 0);
    clock.forward(1_000);
    const left = await database.query(
      `select 1 from rollouts where ended_at is null and state->>'stepSettledAtMs' is null limit 1`,
    );
    if (left.length === 0) return;
  }
  throw new Error('the rollouts do not come to hold');
}

async function changedPasses(): Promise<number> {
  const [row] = await database.query<{ n: number }>('select sum(generation)::int as n from rollouts');
  return row?.n ?? 0;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
