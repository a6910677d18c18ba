import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { InstanceSpec } from '../kernel/dataplane.ts';
import { LIMITS } from './limits.ts';
import { backoffMs, beginEnding, plan, type Seen, settle } from './plan.ts';
import { type InstanceRecord, newRecord } from './record.ts';

const spec: InstanceSpec = {
  id: 'i',
  lane: 'shop/prod',
  fence: 1,
  digest: `sha256:${'a'.repeat(64)}`,
  repository: 'shop',
  env: {},
  readiness: { path: '/', periodMs: 1_000, timeoutMs: 500, failureThreshold: 3 },
  startTimeoutMs: 10_000,
  stopGraceMs: 5_000,
  resources: { memoryBytes: null, openFiles: null },
};
const run = { pid: 10, startTicks: 1, bootId: 'b', marker: 'm', startedAtMs: 1_000 };
const seen = (fields: Partial<Seen>): Seen => ({
  nowMs: 2_000,
  alive: false,
  leaderAlive: false,
  image: 'ready',
  probeAtMs: 0,
  ...fields,
});
const living = { alive: true, leaderAlive: true };
const record = (fields: Partial<InstanceRecord> = {}): InstanceRecord => ({
  ...newRecord(spec, 0),
  ...fields,
});
const running = (fields: Partial<InstanceRecord> = {}) =>
  record({ run, firstStartedAtMs: 1_000, state: 'starting', ...fields });
const act = (of: InstanceRecord, sight: Partial<Seen>) => plan(of, seen(sight), LIMITS);

test('a fresh instance is pulled, then started, then looked at', () => {
  assert.deepEqual(act(record(), { image: 'needed' }), { do: 'pull' });
  assert.deepEqual(act(record(), { image: 'pulling' }), { do: 'wait', untilMs: null });
  assert.deepEqual(act(record(), {}), { do: 'start' });
  assert.deepEqual(act(running(), living), { do: 'probe' });
  assert.deepEqual(act(running(), { ...living, probeAtMs: 3_000 }), { do: 'wait', untilMs: 3_000 });
  assert.deepEqual(act(running(), { ...living, probeAtMs: 99_000 }), { do: 'wait', untilMs: 11_000 });
  assert.deepEqual(act(running(), { ...living, nowMs: 11_000 }), { do: 'give-up' });
  assert.deepEqual(act(running({ readyAtMs: 1_500 }), { ...living, nowMs: 99_000 }), { do: 'probe' });
});

test('a run whose leader is gone is cleared of what is left before it is accounted for', () => {
  assert.deepEqual(act(running(), { alive: true }), { do: 'signal', signal: 'SIGKILL' });
  assert.deepEqual(act(running(), {}), { do: 'settle' });
});

test('a stop is SIGTERM, the grace, SIGKILL, and forgetting', () => {
  const ordered = beginEnding(running(), 'stop', null);
  assert.deepEqual(act(ordered, living), { do: 'signal', signal: 'SIGTERM' });
  const asked = { ...ordered, ending: { why: 'stop' as const, termSentAtMs: 2_000, killSentAtMs: null } };
  assert.deepEqual(act(asked, { ...living, nowMs: 6_999 }), { do: 'wait', untilMs: 7_000 });
  assert.deepEqual(act(asked, { ...living, nowMs: 7_000 }), { do: 'signal', signal: 'SIGKILL' });
  assert.deepEqual(act(asked, {}), { do: 'forget' });
  assert.deepEqual(act(beginEnding(record(), 'stop', null), { image: 'pulling' }), { do: 'forget' });
});

test('crashes back off from 1 s to 30 s, and a steady run starts anew', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 60].map((n) => backoffMs(n, LIMITS)),
    [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000],
  );
  const crashed = settle(
    running({ crashes: 3, everReady: true, readyAtMs: 2_000 }),
    'exited with code 1',
    '',
    5_000,
    LIMITS,
  );
  assert.equal(crashed.nextStartAtMs, 13_000);
  assert.equal(crashed.restarts, 1);
  const steady = settle(
    running({ crashes: 3, everReady: true, readyAtMs: 2_000 }),
    'exited with code 1',
    '',
    62_000,
    LIMITS,
  );
  assert.equal(steady.nextStartAtMs, 63_000);
});

test('what was never ready fails when the next start would be too late', () => {
  const failed = settle(running({ crashes: 2 }), 'exited with code 1', 'boom', 8_000, LIMITS);
  assert.equal(failed.state, 'failed');
  assert.equal(failed.reason, 'exited with code 1; never ready in 3 starts; last lines:\nboom');
  assert.equal(settle(running({ crashes: 2, everReady: true }), 'x', '', 8_000, LIMITS).state, 'exited');
});

const arbitrary: fc.Arbitrary<InstanceRecord> = fc
  .record({
    run: fc.constantFrom(null, run),
    ending: fc.oneof(
      fc.constant(null),
      fc.record({
        why: fc.constantFrom('stop' as const, 'failed' as const, 'recycle' as const, 'halt' as const),
        termSentAtMs: fc.option(fc.nat(100_000)),
        killSentAtMs: fc.option(fc.nat(100_000)),
      }),
    ),
    state: fc.constantFrom(
      'pulling' as const,
      'starting' as const,
      'ready' as const,
      'unready' as const,
      'exited' as const,
      'failed' as const,
    ),
    nextStartAtMs: fc.option(fc.nat(100_000)),
    everReady: fc.boolean(),
    readyAtMs: fc.option(fc.nat(100_000)),
    crashes: fc.nat(20),
  })
  .map((fields) => record(fields));

const sight: fc.Arbitrary<Seen> = fc
  .record({
    nowMs: fc.nat(200_000),
    leaderAlive: fc.boolean(),
    left: fc.boolean(),
    image: fc.constantFrom('needed' as const, 'pulling' as const, 'ready' as const),
    probeAtMs: fc.nat(200_000),
  })
  .map(({ left, ...fields }) => ({ ...fields, alive: fields.leaderAlive || left }));

test('laws: never a second copy, never a start under an ending, never forgotten while it lives, no wait in the past', () => {
  fc.assert(
    fc.property(arbitrary, sight, (of, at) => {
      const action = plan(of, at, LIMITS);
      if (action.do === 'start' || action.do === 'pull')
        assert.ok(of.run === null && of.ending === null && of.state !== 'failed');
      if (action.do === 'forget') assert.ok(of.ending?.why === 'stop' && (of.run === null || !at.alive));
      if (action.do === 'settle') assert.ok(of.run === null || !at.alive);
      if (action.do === 'wait' && action.untilMs !== null) assert.ok(action.untilMs > at.nowMs);
    }),
  );
});

test('law: an order to stop is never lost to the end of a run', () => {
  fc.assert(
    fc.property(arbitrary, fc.nat(100_000), (of, now) => {
      const stopped = settle(beginEnding(of, 'stop', null), 'exited with code 0', '', now, LIMITS);
      assert.equal(stopped.ending?.why, 'stop');
      assert.deepEqual(plan(stopped, seen({ nowMs: now }), LIMITS), { do: 'forget' });
    }),
  );
});

test('law: any record with an ending comes to its end within the grace and a second, however deaf the process is', () => {
  fc.assert(
    fc.property(arbitrary, fc.nat(10_000), (of, deafMs) => {
      let now = 0;
      let state: InstanceRecord = { ...beginEnding({ ...of, ending: null, run }, 'stop', null) };
      let killed: number | null = null;
      for (let steps = 0; steps < 50; steps++) {
        const alive = killed === null ? now < deafMs + 100_000 : now < killed + 10;
        const action = plan(
          state,
          { nowMs: now, alive, leaderAlive: alive, image: 'ready', probeAtMs: 0 },
          LIMITS,
        );
        if (action.do === 'forget') {
          assert.ok(now <= spec.stopGraceMs + 1_000);
          return;
        }
        if (action.do === 'wait') now = killed === null ? (action.untilMs ?? now + 1) : now + 10;
        else if (action.do === 'signal') {
          const sent = action.signal === 'SIGTERM' ? { termSentAtMs: now } : { killSentAtMs: now };
          if (action.signal === 'SIGKILL') killed = now;
          state = { ...state, ending: { ...state.ending!, ...sent } };
        } else assert.fail(`a stop led to ${action.do}`);
      }
      assert.fail('it never ended');
    }),
  );
});
