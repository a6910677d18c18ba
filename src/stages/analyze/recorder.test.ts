import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../kernel/digest.ts';
import { analyze } from './plan.ts';
import { type HistoryRecorder, historyRecorder } from './recorder.ts';
import { ERRORS_ONLY, NEW, OLD, Traffic } from './traffic.testing.ts';

const LANE = 'shop/prod';
const VERSIONS = { digest: NEW, previousDigest: OLD };
const OLDER = `sha256:${'0'.repeat(64)}` as Digest;
const HEALTHY = { rps: 50, errors: 0.002 };
/** A whole minute and a whole ten seconds of the clock. */
const START_MS = 1_800_000_000_000;

function watch(
  recorder: HistoryRecorder,
  traffic: Traffic,
  seconds: number,
  loads: Parameters<Traffic['run']>[1],
) {
  for (let i = 0; i < seconds; i++) {
    const { atMs, bootId, backends } = traffic.run(1, loads).snapshot();
    const weights = { stable: 100, baseline: 0, canary: 0 };
    recorder.observe({ atMs, bootId, lanes: [{ lane: LANE, fence: 1, weights, backends, unrouted: 0 }] });
  }
}

const ids = (recorder: HistoryRecorder, versions = VERSIONS) =>
  recorder.of(LANE, versions)?.minutes.instances.map(({ id, other }) => `${id}${other ? ' other' : ''}`) ??
  [];

test('windows follow the clock; instances that are gone, and the version before, still count', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS).add('v0', 'stable', OLDER).add('old', 'stable');
  watch(recorder, traffic, 130, { stable: HEALTHY });
  traffic.remove('v0').remove('old').add('now', 'stable');
  watch(recorder, traffic, 60, { stable: HEALTHY });
  assert.deepEqual(ids(recorder), ['old', 'now', 'v0 other']);
  const { minutes, tens } = recorder.of(LANE, VERSIONS) ?? assert.fail();
  assert.equal(minutes.windows, 3);
  assert.equal(tens.windows, 18);
  const now = minutes.instances.find(({ id }) => id === 'now');
  // It came eleven seconds into the third minute, and was cold for five.
  assert.deepEqual(now?.requests.slice(0, 2), [0, 0]);
  assert.ok(Math.abs((now?.requests[2] ?? 0) - 44 * 50) <= 100, `${now?.requests[2]}`);
  assert.equal(minutes.instances.find(({ id }) => id === 'old')?.requests[1], 3000);
});

test('winners count before they are called stable; the judged version and failed canaries never do', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS)
    .add('winner', 'canary', OLD)
    .add('loser', 'canary', OLDER)
    .add('next', 'canary', NEW);
  watch(recorder, traffic, 125, { canary: HEALTHY });
  traffic.remove('loser').regroup('winner', 'stable').regroup('next', 'stable');
  watch(recorder, traffic, 60, { stable: HEALTHY });
  assert.deepEqual(ids(recorder), ['winner']);
  assert.deepEqual(ids(recorder, { digest: OLDER, previousDigest: NEW }), ['next', 'winner other']);
});

test('a router that starts anew and counters that fall back add nothing to any minute', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS).add('a', 'stable').add('b', 'stable');
  watch(recorder, traffic, 90, { stable: HEALTHY });
  traffic.reboot();
  watch(recorder, traffic, 30, { stable: HEALTHY });
  traffic.reset('a');
  watch(recorder, traffic, 65, { stable: HEALTHY });
  const { minutes } = recorder.of(LANE, VERSIONS) ?? assert.fail();
  for (const { requests } of minutes.instances) {
    for (const n of requests) assert.ok(n >= 1400 && n <= 3050, `${requests}`);
  }
});

test('what was recorded before is taken in, and what this worker saw stands', () => {
  const first = historyRecorder();
  const traffic = new Traffic(START_MS).add('a', 'stable').add('b', 'stable');
  watch(first, traffic, 125, { stable: HEALTHY });
  const kept = first.takeEnded();
  assert.equal(kept.length, 4);
  assert.deepEqual(first.takeEnded(), []);
  const second = historyRecorder();
  assert.equal(second.restored(), false);
  second.restore(kept);
  assert.equal(second.restored(), true);
  assert.deepEqual(second.of(LANE, VERSIONS)?.minutes, first.of(LANE, VERSIONS)?.minutes);
  second.restore(kept.map((minute) => ({ ...minute, requests: 1 })));
  assert.deepEqual(second.of(LANE, VERSIONS)?.minutes, first.of(LANE, VERSIONS)?.minutes);
});

test('what is kept stays within half an hour, whatever comes and goes', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS);
  for (let minute = 0; minute < 45; minute++) {
    for (let i = 0; i < 40; i++) traffic.add(`${minute}-${i}`, 'stable').remove(`${minute - 1}-${i}`);
    traffic.run(20, {});
    watch(recorder, traffic, 2, { stable: HEALTHY });
    traffic.run(38, {});
  }
  const { minutes } = recorder.of(LANE, VERSIONS) ?? assert.fail();
  assert.ok(minutes.windows <= 30);
  assert.ok(minutes.instances.length <= 32, `${minutes.instances.length}`);
  recorder.observe({ atMs: traffic.atMs + 40 * 60_000, bootId: traffic.bootId, lanes: [] });
  assert.equal(recorder.of(LANE, VERSIONS), null, 'a lane that is gone is forgotten');
});

test('a lane of one instance at a time teaches nothing of clumps, however long it was watched', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS);
  for (let n = 0; n < 6; n++) {
    traffic.add(`only-${n}`, 'stable');
    watch(recorder, traffic, 120, { stable: HEALTHY });
    traffic.remove(`only-${n}`);
  }
  traffic.add('only-6', 'stable').run(1, { stable: HEALTHY }).add('c1', 'canary');
  const history = recorder.of(LANE, VERSIONS);
  assert.ok(history && history.minutes.windows >= 11);
  const { state } = analyze(ERRORS_ONLY, null, traffic.snapshot(), traffic.atMs, { history });
  assert.equal(state?.metrics[0]?.dispersion.g, 2);
});

test('a version before that was twice as bad says nothing of how the present instances differ', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS);
  for (const id of ['o1', 'o2']) traffic.add(id, 'stable', OLDER);
  for (const id of ['n1', 'n2']) traffic.add(id, 'stable');
  watch(recorder, traffic, 605, {
    o1: { rps: 50, errors: 0.1 },
    o2: { rps: 50, errors: 0.1 },
    n1: { rps: 50, errors: 0.02 },
    n2: { rps: 50, errors: 0.02 },
  });
  traffic.remove('o1').remove('o2').add('c1', 'canary');
  const history = recorder.of(LANE, VERSIONS);
  const { state } = analyze(ERRORS_ONLY, null, traffic.snapshot(), traffic.atMs, { history });
  const dispersion = state?.metrics[0]?.dispersion;
  assert.ok(dispersion && dispersion.sigma2 <= 0.011, `${dispersion?.sigma2}`);
  assert.equal(dispersion.instances, 2);
});

test('instances that served in a bad time are not taken for bad instances', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS).add('early1', 'stable').add('early2', 'stable');
  watch(recorder, traffic, 300, { stable: { rps: 50, errors: 0.1 } });
  traffic.remove('early1').remove('early2').add('late1', 'stable').add('late2', 'stable');
  watch(recorder, traffic, 305, { stable: { rps: 50, errors: 0.02 } });
  const sigma2 = () => {
    const history = recorder.of(LANE, VERSIONS);
    const { state } = analyze(ERRORS_ONLY, null, traffic.snapshot(), traffic.atMs, { history });
    return state?.metrics[0]?.dispersion.sigma2 ?? 99;
  };
  assert.ok(sigma2() <= 0.011, `${sigma2()}`);
  watch(recorder, traffic, 300, { late1: { rps: 50, errors: 0.1 }, late2: { rps: 50, errors: 0.02 } });
  assert.ok(sigma2() > 0.05, `but one that is worse beside another is: ${sigma2()}`);
});

test('of a window in which one instance left as another came, only what served through it counts', () => {
  const recorder = historyRecorder();
  const traffic = new Traffic(START_MS).add('stays', 'stable').add('goes', 'stable');
  watch(recorder, traffic, 90, { stable: { rps: 50, errors: 0.1 } });
  traffic.remove('goes').add('comes', 'stable');
  watch(recorder, traffic, 95, { stable: { rps: 50, errors: 0.02 } });
  const series = recorder.of(LANE, VERSIONS)?.minutes;
  const served = Object.fromEntries(
    series?.instances.map(({ id, requests }) => [id, requests.map((n) => n > 0)]) ?? [],
  );
  assert.deepEqual(served, {
    stays: [true, true, true],
    goes: [true, false, false],
    comes: [false, false, true],
  });
  const burnt = recorder.takeEnded().filter(({ whole }) => !whole);
  assert.deepEqual(
    burnt.map(({ instance }) => instance).sort(),
    ['comes', 'goes'],
    'but all of it is kept for the sums of the lane',
  );
});
