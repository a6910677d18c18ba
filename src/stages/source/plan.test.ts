import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BranchObservation, planBranch } from './plan.ts';

const look = (over: Partial<BranchObservation>) =>
  planBranch({
    chain: ['c', 'b', 'a'],
    known: new Set(),
    released: new Set(),
    seenBefore: true,
    releases: 'latest',
    ...over,
  });

test('the first look takes the head alone', () => {
  assert.deepEqual(look({ seenBefore: false }), { record: ['c'], release: ['c'] });
  assert.deepEqual(look({ seenBefore: false, releases: 'every' }), { record: ['c'], release: ['c'] });
});

test('new commits are recorded oldest first; the latest or every one is released', () => {
  const known = new Set(['a']);
  assert.deepEqual(look({ known, released: known }), { record: ['b', 'c'], release: ['c'] });
  assert.deepEqual(look({ known, released: known, releases: 'every' }), {
    record: ['b', 'c'],
    release: ['b', 'c'],
  });
});

test('nothing new is nothing to do; a branch set back is released if that commit never was', () => {
  const known = new Set(['a', 'b', 'c']);
  assert.deepEqual(look({ known, released: new Set(['c']) }), { record: [], release: [] });
  assert.deepEqual(look({ known, released: new Set(['a']) }), { record: [], release: ['c'] });
});

test('history that was rewritten below a known commit is not news', () => {
  assert.deepEqual(look({ known: new Set(['b']), released: new Set(['b']) }), {
    record: ['c'],
    release: ['c'],
  });
});

test('law: a plan applied leaves nothing to do, releases what is recorded, in order', () => {
  const chain = Array.from({ length: 8 }, (_, i) => `s${i}`);
  fc.assert(
    fc.property(
      fc.subarray(chain),
      fc.boolean(),
      fc.constantFrom('latest' as const, 'every' as const),
      fc.nat(7),
      (known, seenBefore, releases, length) => {
        const observation = {
          chain: chain.slice(7 - length),
          known: new Set(seenBefore ? known : []),
          released: new Set<string>(),
          seenBefore: seenBefore && known.length > 0,
          releases,
        };
        const plan = planBranch(observation);
        const after = planBranch({
          ...observation,
          known: new Set([...observation.known, ...plan.record]),
          released: new Set(plan.release),
          seenBefore: true,
        });
        assert.deepEqual(after, { record: [], release: [] });
        const all = new Set([...observation.known, ...plan.record]);
        assert.ok(
          plan.release.every((sha) => all.has(sha)),
          'only recorded commits are released',
        );
        assert.equal(plan.release.at(-1), observation.chain[0], 'the head is the last');
        const order = (shas: readonly string[]) => shas.map((sha) => -chain.indexOf(sha));
        assert.deepEqual(
          order(plan.record),
          order(plan.record).sort((a, b) => a - b),
        );
      },
    ),
  );
});
