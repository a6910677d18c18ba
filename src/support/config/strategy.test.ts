import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlatform } from './platform.ts';

const HEAD = 'apiVersion: slipway.dev/v1\n';

function strategy(more: string) {
  const { config, diagnostics } = parsePlatform({
    'p.yaml': `${HEAD}kind: Environment\nname: dev\n---\n${HEAD}kind: Strategy\nname: x\ntype: canary\n${more}`,
  });
  assert.deepEqual(diagnostics, []);
  const found = config?.strategies.find(({ name }) => name === 'x');
  assert.ok(found);
  return found;
}

test('routing: matches go to the canary alone, the sticky time is in seconds, and without routing there is none', () => {
  const { routing } = strategy(`routing:
  match:
    - header: { name: x-canary, value: always }
    - cookie: { name: beta, value: "1" }
    - { header: { name: x-a, value: b c }, cookie: { name: d, value: e } }
  sticky: { cookie: shop-version, ttl: 1h30m }`);
  assert.deepEqual(routing, {
    match: [
      { header: { name: 'x-canary', value: 'always' }, group: 'canary' },
      { cookie: { name: 'beta', value: '1' }, group: 'canary' },
      { header: { name: 'x-a', value: 'b c' }, cookie: { name: 'd', value: 'e' }, group: 'canary' },
    ],
    sticky: { cookie: 'shop-version', ttlS: 5400 },
  });
  assert.deepEqual(strategy('').routing, { match: [], sticky: null });
});

test('a budget is in shares and seconds, exactly', () => {
  const written = strategy('analysis: { budget: { objective: 99.9%, period: 7d, share: 0.3% } }').analysis;
  assert.deepEqual(written?.budget, {
    objective: 0.999,
    periodS: 604_800,
    share: 0.003,
    minimumBad: 5,
    ramp: null,
    ratePerS: null,
  });
  const computed = strategy(
    'steps: [{ weight: 1%, require: pass }]\nanalysis: { budget: { objective: 99%, share: 1%, minimum: 9, steps: from-traffic, harm: 20% } }',
  ).analysis;
  assert.deepEqual([computed?.budget?.minimumBad, computed?.budget?.ramp], [9, { harm: 0.2 }]);
  assert.equal(strategy('analysis: {}').analysis?.budget, null);
});

test('the guard is on by default exactly where every step can hold its weight for a minute', () => {
  const guard = (steps: string, more = '') =>
    strategy(`steps: [${steps}]\nanalysis: {${more}}`).analysis?.guard;
  const proven = '{ weight: 10%, for: 1m, require: pass }';
  assert.equal(guard(proven), true);
  assert.equal(guard(proven, 'guard: false'), false);
  assert.equal(guard(`${proven}, { weight: 50%, for: 2m }`), false, 'a step that only time ends cannot hold');
  assert.equal(
    guard('{ weight: 10%, for: 59s, require: pass }'),
    false,
    'too short for a minute to leave out',
  );
  assert.equal(guard('{ weight: 10%, for: 59s, require: pass }', 'guard: true'), true);
  assert.equal(guard(''), false);
  const budget = 'budget: { objective: 99%, share: 1%, steps: from-traffic }';
  assert.equal(guard(proven, budget), false, 'computed steps go on without a pass');
});
