import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesIn, type RolloutPhase, TERMINAL_PHASES } from './rollout.ts';

test('matches hold only while the rollout goes forward with capacity', () => {
  const match = [{ header: { name: 'x-canary', value: 'always' }, group: 'canary' as const }];
  const routing = { match, sticky: null };
  for (const phase of ['stepping', 'promoting'] as const) assert.deepEqual(matchesIn(phase, routing), match);
  const others: RolloutPhase[] = ['preparing', 'finishing', 'rolling-back', ...TERMINAL_PHASES];
  for (const phase of others) assert.deepEqual(matchesIn(phase, routing), [], phase);
  assert.deepEqual(matchesIn('stepping', undefined), []);
});
