import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIGURES } from './figures.ts';
import { JUDGES, type Measured, measure, within } from './measure.ts';
import { seeded } from './random.ts';
import { world } from './world.ts';

const RUNS = 120;
const SEED = 20_000;

for (const figure of FIGURES) {
  const { scenario, falseAlarms, medianS } = figure;
  const bound =
    medianS === undefined
      ? `false rollbacks <= ${(falseAlarms as number) * 100} %`
      : `median <= ${medianS} s`;
  test(`${scenario.name}: ${bound}`, () => {
    const measured = measure(JUDGES.Slipway as Judge, scenario, RUNS, SEED);
    assert.ok(within(figure, measured, RUNS), JSON.stringify(measured));
  });
}

type Judge = (typeof JUDGES)[string];

test('the bounds can fail: a test that ignores clumps is outside them', () => {
  const figure = FIGURES.find(({ scenario }) => scenario.name.includes('clumps of 3, bursts'));
  assert.ok(figure);
  const measured: Measured = measure(JUDGES['Lindon-Malek'] as Judge, figure.scenario, RUNS, SEED);
  assert.ok(!within(figure, measured, RUNS), JSON.stringify(measured));
});

test('a seed is a world: the same seed gives the same traffic', () => {
  const [figure] = FIGURES;
  assert.ok(figure);
  const draw = (seed: number) => JSON.stringify([...world({ ...figure.scenario, minutes: 2 }, seed).looks]);
  assert.equal(draw(7), draw(7));
  assert.notEqual(draw(7), draw(8));
});

test('the draws have the means and spreads they claim', () => {
  const random = seeded(3);
  const moments = (draw: () => number) => {
    const values = Array.from({ length: 20_000 }, draw);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length };
  };
  const near = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual / expected - 1) < 0.06, `${actual} is not ${expected}`);
  for (const mean of [0.3, 6, 200]) {
    const drawn = moments(() => random.poisson(mean));
    near(drawn.mean, mean);
    near(drawn.variance, mean);
  }
  for (const [n, p] of [
    [40, 0.1],
    [300, 0.5],
    [500, 0.001],
    [60, 0.9],
  ] as const) {
    const drawn = moments(() => random.binomial(n, p));
    near(drawn.mean, n * p);
    near(drawn.variance, n * p * (1 - p));
  }
  const clumps = moments(() => random.geometric(3));
  near(clumps.mean, 3);
  near(clumps.variance, 6);
});
