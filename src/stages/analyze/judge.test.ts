import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ClumpBet, clumpStakes } from './bets.ts';
import type { EProcessState } from './eprocess.ts';
import {
  betBernoulli,
  betClump,
  EProcess,
  gaugeLook,
  PSI,
  phiWindow,
  remaining,
  sigma2Pod,
  threshold,
  tQuantile,
} from './judge.ts';

type Vector = { id: string; input: never; value: unknown };
const vectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')) as Vector[];
const vector = (id: string) => {
  const found = vectors.find((candidate) => candidate.id === id);
  assert.ok(found, `vector ${id}`);
  return found;
};
type Look = [number, number, number, number];

function close(actual: unknown, expected: unknown, what: string): void {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual) && actual.length === expected.length, what);
    expected.forEach((value, i) => {
      close(actual[i], value, `${what}[${i}]`);
    });
  } else if (typeof expected === 'number') {
    assert.ok(
      Math.abs((actual as number) - expected) <= 1e-6 * Math.max(1, Math.abs(expected)),
      `${what}: ${actual} is not ${expected}`,
    );
  } else assert.equal(actual, expected, what);
}

const bet = (given: Omit<ClumpBet, 'psi'>) => (nc: number, ec: number, nb: number, eb: number, psi: number) =>
  betClump(nc, ec, nb, eb, { ...given, psi });

function replay(id: string, g: number): number[] {
  const process = new EProcess({ psis: PSI.errors, u0: 0.8, slots: 30 });
  const out: number[] = [];
  for (const step of vector(id).input as (Look | 'slot')[]) {
    if (step === 'slot') process.startSlot();
    else out.push(process.look(...step, bet({ rho: 1.1, delta: 1e-4, g })));
  }
  return out;
}

test('all vectors of the algorithm agree to 1e-6', () => {
  const spread = (id: string, run: (...args: never[]) => unknown) =>
    close(run(...(vector(id).input as never[])), vector(id).value, id);
  const seen = new Set<string>();
  const check = (id: string, body: () => void) => {
    seen.add(id);
    body();
  };
  check('V1', () => close(PSI.errors, vector('V1').value, 'V1'));
  for (const id of ['V2', 'V3', 'V4', 'V5']) check(id, () => spread(id, betClump));
  for (const id of ['V6', 'V7']) check(id, () => spread(id, betBernoulli));
  check('V8', () => close(replay('V8', 1), vector('V8').value, 'V8'));
  check('V9', () => close(replay('V9', 1.8), vector('V9').value, 'V9'));
  check('V10', () => {
    const pass = new EProcess({ psis: PSI.errors.map((psi) => 1 / psi), u0: 1, slots: 1 });
    const looks: Look[] = [
      [500, 5, 9500, 96],
      [510, 4, 9400, 90],
      [490, 6, 9600, 101],
      [505, 3, 9450, 99],
    ];
    close(
      looks.map((look) => pass.look(...look, bet({ rho: 1.5, delta: 5e-4, g: 1 }))),
      vector('V10').value,
      'V10',
    );
  });
  for (const id of ['V11', 'V11b']) check(id, () => close(phiWindow(vector(id).input), vector(id).value, id));
  check('V12', () => spread('V12', sigma2Pod));
  check('V13', () =>
    close(
      (vector('V13').input as [number, number][]).map((args) => tQuantile(...args)),
      vector('V13').value,
      'V13',
    ),
  );
  check('V14', () => close(threshold(vector('V14').input), vector('V14').value, 'V14'));
  check('V15', () => {
    const [logE, T, input] = vector('V15').input as [number, number, Parameters<typeof remaining>[2]];
    close(remaining(logE, T, { ...input, psis: PSI.errors }), vector('V15').value, 'V15');
  });
  check('V16', () => spread('V16', gaugeLook));
  assert.deepEqual([...seen].sort(), vectors.map(({ id }) => id).sort());
});

const BINOMIAL_CACHE = new Map<string, number[]>();
function binomial(n: number, p: number): number[] {
  const key = `${n}:${p}`;
  const known = BINOMIAL_CACHE.get(key);
  if (known) return known;
  let mass = [1];
  for (let i = 0; i < n; i++) {
    const next = new Array<number>(mass.length + 1).fill(0);
    mass.forEach((value, k) => {
      next[k] = (next[k] as number) + value * (1 - p);
      next[k + 1] = (next[k + 1] as number) + value * p;
    });
    mass = next;
  }
  BINOMIAL_CACHE.set(key, mass);
  return mass;
}

/** E[exp(l)] over all outcomes of binomial arms: exact, no sampling. */
function expectedFactor(
  nc: number,
  pc: number,
  nb: number,
  pb: number,
  l: (ec: number, eb: number) => number,
): number {
  let total = 0;
  binomial(nc, pc).forEach((wc, ec) => {
    binomial(nb, pb).forEach((wb, eb) => {
      total += wc * wb * Math.exp(l(ec, eb));
    });
  });
  return total;
}

const smallArm = fc.integer({ min: 1, max: 14 });
const rate = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);

test('law: while H0 holds, no bet gains on average (exact enumeration)', () => {
  fc.assert(
    fc.property(
      smallArm,
      smallArm,
      rate,
      fc.constantFrom(1, 1.04, 1.1, 1.5),
      fc.constantFrom(0, 1e-4, 0.05),
      fc.constantFrom(...PSI.errors, ...PSI.p50, ...PSI.p99),
      fc.boolean(),
      fc.constantFrom(1, 1.7, 3),
      rate,
      (nc, nb, pb, rho, delta, psi, worse, g, guess) => {
        const bound = Math.min(1, rho * pb + delta);
        // FAIL bets psi > 1 against "at most the bound", PASS bets 1/psi against "at least the bound".
        const effect = worse ? psi : 1 / psi;
        for (const pc of worse
          ? [bound, bound * 0.6, 0]
          : rho * pb + delta <= 1
            ? [bound, (1 + bound) / 2, 1]
            : []) {
          const clump = expectedFactor(nc, pc, nb, pb, (ec, eb) =>
            betClump(nc, ec, nb, eb, { rho, delta, g, psi: effect }),
          );
          assert.ok(clump <= 1 + 1e-9, `clump ${clump}`);
          const share = expectedFactor(nc, pc, nb, pb, (ec, eb) =>
            betBernoulli(nc, ec, nb, eb, { rho, delta, pb: guess, phi: 1, psi: effect }),
          );
          assert.ok(share <= 1 + 1e-9, `bernoulli ${share} at pb ${pb} guessed ${guess}`);
        }
      },
    ),
    { numRuns: 300, seed: 7 },
  );
});

test('law: errors that come in clumps of g gain nothing on average at that g', () => {
  // Canary clumps of exactly 3 at the boundary rate: E over Poisson numbers of clumps, in closed form.
  for (const psi of PSI.errors) {
    const [rho, delta, g, nc, nb, pb] = [1.1, 1e-4, 3, 400, 4000, 0.01];
    const stakes = clumpStakes((rho * nc) / nb, g, psi);
    const clumps = (n: number, p: number, stake: number) => ((n * p) / g) * Math.expm1(g * stake);
    const log =
      clumps(nc, rho * pb + delta, stakes.canary) + clumps(nb, pb, stakes.baseline) - nc * delta * stakes.d;
    assert.ok(log <= 1e-9, `psi ${psi}: ${log}`);
  }
});

test('law: the e-process crosses 1/alpha under H0 in at most alpha of the runs, looked at every time', () => {
  let seed = 12345;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const draw = (n: number, p: number) => {
    let hits = 0;
    for (let i = 0; i < n; i++) if (random() < p) hits++;
    return hits;
  };
  const alpha = 0.1;
  let crossed = 0;
  const runs = 400;
  for (let run = 0; run < runs; run++) {
    const process = new EProcess({ psis: PSI.errors, u0: 0.8, slots: 30 });
    for (let look = 0; look < 60; look++) {
      if (look % 6 === 5) process.startSlot();
      const logE = process.look(40, draw(40, 0.055), 60, draw(60, 0.05), bet({ rho: 1.1, delta: 0, g: 1 }));
      if (logE >= Math.log(1 / alpha)) {
        crossed++;
        break;
      }
    }
  }
  assert.ok(crossed / runs <= alpha, `${crossed} of ${runs}`);
});

const arm = fc
  .tuple(
    fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 1e12 })),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([n, share]) => [n, Math.floor(n * share)] as const);
const extreme = fc.tuple(arm, arm).map(([c, b]): Look => [...c, ...b]);

test('law: any counts give finite evidence, and the state survives JSON with identical continuation', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(extreme, fc.constant('slot' as const)), { maxLength: 40 }),
      fc.nat(40),
      (steps, cut) => {
        const options = { psis: PSI.p99, u0: 0.8, slots: 30 };
        const whole = new EProcess(options);
        let resumed = new EProcess(options);
        const increment = (nc: number, ec: number, nb: number, eb: number, psi: number) =>
          betBernoulli(nc, ec, nb, eb, { rho: 1.04, delta: 0, pb: 0.01, phi: 1.3, psi });
        steps.forEach((step, i) => {
          if (i === cut)
            resumed = new EProcess(options, JSON.parse(JSON.stringify(resumed)) as EProcessState);
          if (step === 'slot') {
            whole.startSlot();
            resumed.startSlot();
            return;
          }
          const logE = whole.look(...step, increment);
          assert.ok(Number.isFinite(logE));
          assert.equal(resumed.look(...step, increment), logE);
        });
        assert.deepEqual(resumed.toJSON(), whole.toJSON());
      },
    ),
    { numRuns: 200, seed: 11 },
  );
});

test('law: more bad canary requests never lower FAIL evidence nor raise PASS evidence', () => {
  fc.assert(
    fc.property(
      extreme,
      fc.constantFrom(1, 2, 20),
      fc.constantFrom(...PSI.errors),
      ([nc, ec, nb, eb], g, psi) => {
        fc.pre(ec < nc);
        for (const effect of [psi, 1 / psi]) {
          const one = betClump(nc, ec, nb, eb, { rho: 1.1, delta: 1e-4, g, psi: effect });
          const more = betClump(nc, ec + 1, nb, eb, { rho: 1.1, delta: 1e-4, g, psi: effect });
          const share = betBernoulli(nc, ec, nb, eb, { rho: 1.1, delta: 0, pb: 0.2, phi: 1, psi: effect });
          const shareMore = betBernoulli(nc, ec + 1, nb, eb, {
            rho: 1.1,
            delta: 0,
            pb: 0.2,
            phi: 1,
            psi: effect,
          });
          const slack = 1e-9 * (1 + Math.abs(one) + Math.abs(share));
          if (effect > 1) assert.ok(more >= one - slack && shareMore >= share - slack);
          else assert.ok(more <= one + slack && shareMore <= share + slack);
        }
      },
    ),
    { numRuns: 500, seed: 3 },
  );
});

test('one arm missing is pooled, not lost: the pooled look equals one look of the sums', () => {
  const options = { psis: PSI.errors, u0: 0.8, slots: 30 };
  const pooled = new EProcess(options);
  pooled.look(0, 0, 300, 2, bet({ rho: 1.1, delta: 0, g: 1 }));
  pooled.look(0, 0, 200, 0, bet({ rho: 1.1, delta: 0, g: 1 }));
  const single = new EProcess(options);
  assert.equal(
    pooled.look(30, 1, 100, 1, bet({ rho: 1.1, delta: 0, g: 1 })),
    single.look(30, 1, 600, 3, bet({ rho: 1.1, delta: 0, g: 1 })),
  );
});

test('what is not a count or a share is refused, never read as zero', () => {
  const good = { rho: 1.1, delta: 0, g: 1, psi: 2 };
  for (const counts of [
    [Number.NaN, 0, 1, 0],
    [1, 2, 1, 0],
    [1, -1, 1, 0],
    [Number.POSITIVE_INFINITY, 0, 1, 0],
    [1, 0, 1, Number.NaN],
  ] as Look[]) {
    assert.throws(() => betClump(...counts, good), { code: 'invalid_input' });
    assert.throws(() => betBernoulli(...counts, { ...good, pb: 0.1, phi: 1 }), { code: 'invalid_input' });
    assert.throws(() => new EProcess({ psis: [2], u0: 1, slots: 1 }).look(...counts, () => 0), {
      code: 'invalid_input',
    });
  }
  assert.throws(() => betClump(1, 0, 1, 0, { ...good, g: 0.5 }), { code: 'invalid_input' });
  assert.throws(() => betBernoulli(1, 0, 1, 0, { ...good, pb: Number.NaN, phi: 1 }), {
    code: 'invalid_input',
  });
  assert.throws(() => tQuantile(1, 3), { code: 'invalid_input' });
  assert.throws(() => phiWindow([{ n: [1], e: [Number.NaN] }]), { code: 'invalid_input' });
  assert.throws(() => sigma2Pod([1, 1], [0], 1), { code: 'invalid_input' });
});

test('the threshold rises with instance noise and with requests, so that a difference within noise never crosses', () => {
  const base = { alpha: 0.05, alphaPod: 0.025, sigma2: 0.01, muC: 10, phiW: 1, mc: 1, mb: 5 };
  assert.ok(threshold({ ...base, sigma2: 0 }) === Math.log(20));
  assert.ok(threshold({ ...base, sigma2: 0.04 }) > threshold(base));
  assert.ok(threshold({ ...base, muC: 20 }) > threshold(base));
  assert.ok(threshold({ ...base, mb: 20 }) < threshold(base));
});

test('dispersion: single errors give 1, clumps give more, one window gives the prior', () => {
  const even = Array.from({ length: 4 }, (_, i) => ({
    n: Array(20).fill(100),
    e: Array.from({ length: 20 }, (_, k) => ((k + i) % 4 === 0 ? 1 : 0)),
  }));
  const clumped = even.map(({ n, e }) => ({ n, e: e.map((value, k) => (k % 8 < 4 ? 5 * value : 0)) }));
  assert.ok(phiWindow(even) < 1.1);
  assert.ok(phiWindow(clumped) > 2);
  assert.equal(
    phiWindow(
      [
        { n: [10], e: [0] },
        { n: [10], e: [1] },
      ],
      5,
    ),
    5,
  );
  assert.equal(phiWindow([], 1), 1);
  assert.equal(sigma2Pod([100], [5], 1), 0.1 * 0.1);
  assert.equal(sigma2Pod([100, 100], [0, 0], 1, 0.03), 0.03 * 0.03);
});

test('a gauge without spread or without two baseline instances says nothing', () => {
  assert.equal(gaugeLook([0.5], [0.1], { logMargin: 0, alpha: 0.05, tPrev: 0, tNow: 1 })[3], false);
  assert.equal(gaugeLook([], [0.1, 0.2], { logMargin: 0, alpha: 0.05, tPrev: 0, tNow: 1 })[3], false);
  assert.equal(gaugeLook([0.2], [0.2, 0.2], { logMargin: 0, alpha: 0.05, tPrev: 0, tNow: 1 })[3], false);
});
