import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deck } from './deck.ts';
import { seededRandom } from './random.ts';

const split = fc.tuple(fc.nat(100), fc.nat(100)).map(([a, b]) => {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  return [low, high - low, 100 - high];
});

test('law: 100 draws hold every index exactly as often as its weight says', () => {
  fc.assert(
    fc.property(split, fc.nat(), (weights, seed) => {
      const deck = new Deck(weights, seededRandom(seed));
      const counts = [0, 0, 0];
      for (let i = 0; i < 100; i++) counts[deck.draw()]!++;
      assert.deepEqual(counts, weights);
    }),
  );
});

test('law: after any number of draws each share is at most three requests off', () => {
  fc.assert(
    fc.property(split, fc.nat(), (weights, seed) => {
      const deck = new Deck(weights, seededRandom(seed));
      const counts = [0, 0, 0];
      for (let n = 1; n <= 300; n++) {
        counts[deck.draw()]!++;
        for (const [i, weight] of weights.entries()) {
          assert.ok(Math.abs(counts[i]! - (n * weight) / 100) <= 3, `${weights} after ${n}: ${counts}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('law: an index without weight is never drawn', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 99.999, noNaN: true }), fc.nat(), (share, seed) => {
      const deck = new Deck([100 - share, 0, share], seededRandom(seed));
      for (let i = 0; i < 500; i++) assert.notEqual(deck.draw(), 1);
    }),
    { numRuns: 50 },
  );
});

test('fractions of a percent are owed, not lost', () => {
  const deck = new Deck([99.9, 0, 0.1], seededRandom(1));
  let canary = 0;
  for (let i = 0; i < 10_000; i++) if (deck.draw() === 2) canary++;
  assert.equal(canary, 10);
});

test('a client with a period of its own cannot fall into step: each of its kinds meets both arms', () => {
  const deck = new Deck([50, 0, 50], seededRandom(7));
  const met = [0, 0];
  for (let i = 0; i < 2_000; i++) {
    const arm = deck.draw();
    if (i % 2 === 0) met[arm === 0 ? 0 : 1]!++;
  }
  assert.ok(
    met.every((count) => count > 400),
    String(met),
  );
});
