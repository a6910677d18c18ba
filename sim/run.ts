import { performance } from 'node:perf_hooks';
import { simulate } from './simulate.ts';

/** `node sim/run.ts --seeds 1000 [--from 1]` runs that many seeds; `--seed N` runs one and prints its trace. */
const option = (name: string): number | null => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : Number(process.argv[at + 1]);
};

const LAST_LINES = 30;
const single = option('seed');
const from = single ?? option('from') ?? 1;
const count = single === null ? (option('seeds') ?? 1_000) : 1;
const started = performance.now();
const outcomes: Record<string, number> = {};
let rollouts = 0;
let requests = 0;
let virtualMs = 0;
let failures = 0;

for (let seed = from; seed < from + count; seed++) {
  const run = await simulate(seed, single !== null);
  if (single !== null) for (const line of run.trace) console.log(line);
  for (const [outcome, n] of Object.entries(run.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + n;
  rollouts += run.rollouts;
  requests += run.requests;
  virtualMs += run.virtualMs;
  if (run.broken === null) continue;
  failures++;
  console.error(`seed ${seed}: ${run.broken}`);
  // The same seed again, told: what came last before it broke.
  if (single === null)
    for (const line of (await simulate(seed, true)).trace.slice(-LAST_LINES)) console.error(line);
  console.error(`replay: node sim/run.ts --seed ${seed}`);
  if (failures >= (option('failures') ?? 1)) break;
}

const seconds = (performance.now() - started) / 1_000;
const seeds = single === null ? count : 1;
console.log(
  `${seeds} seeds in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(0)} seeds/s), ${rollouts} rollouts, ` +
    `${requests} requests, ${(virtualMs / 3_600_000).toFixed(0)} h of virtual time: ${JSON.stringify(outcomes)}`,
);
process.exitCode = failures > 0 ? 1 : 0;
