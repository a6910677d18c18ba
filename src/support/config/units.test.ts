import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseBytes, parseDuration, parsePercent } from './units.ts';

test('durations', () => {
  const cases: [string, number | null][] = [
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['250ms', 250],
    ['1m500ms', 60_500],
    ['0s', 0],
    ['2d', 172_800_000],
    ['5', null],
    ['', null],
    ['-5s', null],
    ['5 s', null],
    ['5S', null],
    ['30m1h', null],
    ['5s5s', null],
    ['1e3s', null],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});

test('sizes and percentages', () => {
  assert.equal(parseBytes('256Mi'), 268_435_456);
  assert.equal(parseBytes('1.5Gi'), 1_610_612_736);
  assert.equal(parseBytes('500M'), 500_000_000);
  for (const bad of ['256', '256MB', 'Mi', '-1Mi', '1 Mi', '999999999999Ti'])
    assert.equal(parseBytes(bad), null, bad);
  assert.equal(parsePercent('10%'), 10);
  assert.equal(parsePercent('0.5%'), 0.5);
  assert.equal(parsePercent('100%'), 100);
  for (const bad of ['10', '101%', '100.5%', '-1%', '%', '1e1%']) assert.equal(parsePercent(bad), null, bad);
});

test('law: what is formatted reads back', () => {
  fc.assert(fc.property(fc.nat({ max: 10 ** 10 }), (ms) => parseDuration(formatDuration(ms)) === ms));
});
