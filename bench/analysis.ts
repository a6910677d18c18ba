import { hrtime } from 'node:process';
import { betBernoulli, betClump, EProcess, PSI } from '../src/stages/analyze/judge.ts';
import { analyze } from '../src/stages/analyze/plan.ts';
import { SPEC, Traffic } from '../src/stages/analyze/traffic.testing.ts';

/**
 * `node bench/analysis.ts`: what the canary analysis costs. Goal: at most 2 microseconds a look, metric and direction.
 * Beside it, one whole pass of the reducer over a lane of 25 instances, JSON in and out, as the worker does it each second.
 */

function microseconds(work: (i: number) => void, count: number): number {
  for (let i = 0; i < count / 4; i++) work(i);
  const rounds = Array.from({ length: 7 }, () => {
    const start = hrtime.bigint();
    for (let i = 0; i < count; i++) work(i);
    return Number(hrtime.bigint() - start) / 1000 / count;
  });
  return rounds.sort((a, b) => a - b)[3] as number;
}

const fail = new EProcess({ psis: PSI.errors, u0: 0.8, slots: 30 });
const clump = microseconds(
  (i) =>
    fail.look(25 + (i % 5), i % 7 === 0 ? 1 : 0, 475 + (i % 11), i % 3, (nc, ec, nb, eb, psi) =>
      betClump(nc, ec, nb, eb, { rho: 1.1, delta: 1e-4, g: 1.8, psi }),
    ),
  200_000,
);
const slow = new EProcess({ psis: PSI.p99, u0: 0.8, slots: 30 });
const bernoulli = microseconds(
  (i) =>
    slow.look(25 + (i % 5), i % 7 === 0 ? 1 : 0, 475 + (i % 11), i % 9, (nc, ec, nb, eb, psi) =>
      betBernoulli(nc, ec, nb, eb, { rho: 1.04, delta: 0, pb: 0.01, phi: 1.3, psi }),
    ),
  200_000,
);

const traffic = new Traffic();
for (let i = 0; i < 20; i++) traffic.add(`s${i}`, 'stable');
const healthy = { rps: 50, errors: 0.002 };
traffic.run(120, { stable: healthy });
for (let i = 0; i < 5; i++) traffic.add(`c${i}`, 'canary');
let state = analyze(SPEC, null, traffic.snapshot(), traffic.atMs).state;
traffic.canaryWeight = 20;
const pass = microseconds(() => {
  traffic.run(1, { stable: healthy, canary: healthy });
  state = JSON.parse(JSON.stringify(analyze(SPEC, state, traffic.snapshot(), traffic.atMs).state));
}, 400);

console.log(`errors: ${clump.toFixed(2)} us a look and direction (goal <= 2)`);
console.log(`latency: ${bernoulli.toFixed(2)} us a look and direction (goal <= 2)`);
console.log(`one pass over a lane of 25 instances, 2 metrics, JSON in and out: ${pass.toFixed(0)} us`);
process.exitCode = clump <= 2 && bernoulli <= 2 ? 0 : 1;
