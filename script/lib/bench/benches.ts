import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** One measurement: a command of its own, run alone, whose output is kept as it was printed. */
export interface Bench {
  name: string;
  /** What is measured, and what it should reach. */
  about: string;
  /** Arguments to node, the file first. */
  command: readonly string[];
  /** The same in a few seconds, to see that it works; its figures mean nothing. */
  quick: readonly string[];
  /** The stream that is for people. */
  output: 'stdout' | 'stderr';
  /** Programs it needs on the path. */
  needs: readonly string[];
}

const bench = (
  name: string,
  about: string,
  command: readonly string[],
  rest: Partial<Pick<Bench, 'quick' | 'output' | 'needs'>> = {},
): Bench => ({ name, about, command, quick: rest.quick ?? command, output: 'stdout', needs: [], ...rest });

const ALL: readonly Bench[] = [
  bench(
    'build',
    'Hashing and packing of image layers; a build whose steps are all cached.',
    ['bench/build.ts'],
    {
      output: 'stderr',
    },
  ),
  bench(
    'cached-release',
    'From `git commit` of a change to README.md to the registered, signed artifact, through a whole installation. Goal: under 1 s.',
    ['script/lib/bench/cached-release.ts', '10'],
    { quick: ['script/lib/bench/cached-release.ts', '2'] },
  ),
  bench(
    'router',
    'Router against a direct connection, two instances. Goals on 2 cores: 12,000 requests/s; added p99 under 3 ms at 1,000/s.',
    ['bench/router.ts'],
    { quick: ['bench/router.ts', '1'], output: 'stderr', needs: ['wrk'] },
  ),
  bench(
    'registry',
    "The registry beside Debian's docker-registry (distribution 2.8).",
    ['bench/registry.ts'],
    {
      needs: ['docker-registry'],
    },
  ),
  bench('ledger', 'Appending, sequencing, proofs and verification of the ledger.', ['bench/ledger.ts'], {
    quick: ['bench/ledger.ts', '5000'],
  }),
  bench(
    'reconcile',
    'Reconcile passes a second with 1,000 and 10,000 active rollouts on one worker. Goal: 5,000/s.',
    ['bench/reconcile.ts'],
    { quick: ['bench/reconcile.ts', '200'] },
  ),
  bench(
    'analysis',
    'Cost of the canary analysis. Goal: at most 2 microseconds a look, metric and direction.',
    ['bench/analysis.ts'],
  ),
  bench(
    'detection',
    'Seeded simulation: false rollbacks, and the time until a worse version is rolled back, beside the ways of others.',
    ['sim/analysis/run.ts'],
    { quick: ['sim/analysis/run.ts', '--quick'] },
  ),
  bench(
    'first-paint',
    'First paint of the home page in Chromium, against a running installation. Budget: LCP 2.5 s, shell JavaScript 220 KiB compressed.',
    ['script/lib/bench/first-paint.ts', '10'],
    { quick: ['script/lib/bench/first-paint.ts', '2'], needs: ['chromium'] },
  ),
  bench('demo', 'Stage times of `script/demo --once`.', ['script/lib/bench/demo.ts'], {
    quick: ['script/lib/bench/demo.ts', '--last'],
  }),
];

/** Those whose file is there. */
export function benches(root: string): Bench[] {
  return ALL.filter(({ command }) => existsSync(join(root, command[0] as string)));
}
