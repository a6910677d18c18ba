import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GROUPS, type Group, type LaneRoute } from '../../kernel/dataplane.ts';
import { seededRandom } from './random.ts';
import { type Candidate, Selector } from './selection.ts';

const NOW_MS = 1_000;

function candidate(group: Group, change: Partial<Candidate> & { inFlight?: number } = {}): Candidate {
  const { inFlight = 0, ...rest } = change;
  return {
    digest: `sha256:${'a'.repeat(64)}`,
    group,
    serving: true,
    ejectedUntilMs: 0,
    counters: { inFlight },
    ...rest,
  };
}

function selector(backends: readonly Candidate[], weights: LaneRoute['weights']): Selector<Candidate> {
  const route: LaneRoute = {
    lane: 'shop/prod',
    fence: 1,
    listen: { host: '127.0.0.1', port: 0 },
    backends: [],
    weights,
    match: [],
    sticky: null,
    mirror: null,
  };
  return new Selector(route, backends, seededRandom(1), null);
}

const to = (group: Group) => ({ group, pinned: null, setCookie: false });
const EVEN = { stable: 34, baseline: 33, canary: 33 };

test('fewest in flight first; equals take turns', () => {
  const [busy, idle, alsoIdle] = [
    candidate('stable', { inFlight: 3 }),
    candidate('stable'),
    candidate('stable'),
  ];
  const choice = selector([busy, idle, alsoIdle], EVEN);
  const met = new Map<Candidate | null, number>();
  for (let i = 0; i < 30; i++) {
    const chosen = choice.choose(to('stable'), [], NOW_MS);
    met.set(chosen, (met.get(chosen) ?? 0) + 1);
  }
  assert.equal(met.get(busy), undefined);
  assert.ok((met.get(idle) ?? 0) >= 10 && (met.get(alsoIdle) ?? 0) >= 10);
});

test('ejected instances wait behind healthy ones of any group, and are used when nothing else is left', () => {
  const ejected = candidate('canary', { ejectedUntilMs: NOW_MS + 1 });
  const stable = candidate('stable');
  const choice = selector([ejected, stable], EVEN);
  assert.equal(choice.choose(to('canary'), [], NOW_MS), stable);
  assert.equal(choice.choose(to('canary'), [stable], NOW_MS), ejected);
  assert.equal(choice.choose(to('canary'), [stable, ejected], NOW_MS), null);
  assert.equal(choice.choose(to('canary'), [], NOW_MS + 1), ejected);
});

const someBackend = fc
  .record({
    group: fc.constantFrom(...GROUPS),
    serving: fc.boolean(),
    ejected: fc.boolean(),
    inFlight: fc.nat(3),
  })
  .map(({ group, serving, ejected, inFlight }) =>
    candidate(group, { serving, inFlight, ejectedUntilMs: ejected ? NOW_MS + 1 : 0 }),
  );
const someWeights = fc.constantFrom(
  { stable: 100, baseline: 0, canary: 0 },
  { stable: 0, baseline: 0, canary: 100 },
  { stable: 50, baseline: 0, canary: 50 },
  { stable: 0, baseline: 50, canary: 50 },
  EVEN,
);

test('law: while any instance serves a request is placed, and never in a group without weight if one with weight is sound', () => {
  fc.assert(
    fc.property(fc.array(someBackend, { maxLength: 6 }), someWeights, (backends, weights) => {
      const choice = selector(backends, weights);
      const group = GROUPS.find((name) => weights[name] > 0)!;
      const chosen = choice.choose(to(group), [], NOW_MS);
      const serving = backends.filter((backend) => backend.serving);
      assert.equal(chosen === null, serving.length === 0);
      if (chosen === null) return;
      assert.ok(chosen.serving);
      const sound = serving.filter(
        (backend) => backend.ejectedUntilMs <= NOW_MS && weights[backend.group] > 0,
      );
      if (sound.length > 0) assert.ok(sound.includes(chosen));
      if (sound.some((backend) => backend.group === group)) assert.equal(chosen.group, group);
    }),
    { numRuns: 2_000 },
  );
});
