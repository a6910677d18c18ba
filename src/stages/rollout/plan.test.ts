import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTerminal } from '../../kernel/rollout.ts';
import { backends, change, drive, look, pass, routed, scene, starts, stops } from './lane.testing.ts';
import { instanceOf, NEW } from './rollout.testing.ts';

const step = (weight: number, more = {}) => ({
  weight,
  minimumS: 5,
  requirePass: false,
  manual: false,
  deadlineS: 60,
  ...more,
});
const ANALYSIS = { alpha: 0.05, errors: null, latency: [], warmupS: 0, staleS: 10 };
const atStep = (index: number) => (lane: ReturnType<typeof scene>) =>
  lane.state.stepIndex === index && lane.state.stepSettledAtMs !== null;
const request = (kind: 'pause' | 'resume' | 'abort', atMs: number) => ({
  kind,
  actor: 'user:ann',
  reason: 'because',
  atMs,
});

for (const strategy of ['canary', 'blue-green', 'rolling', 'shadow', 'all-at-once'] as const) {
  for (const old of [0, 1, 3]) {
    test(`${strategy} over ${old} old instances ends with all traffic on three new ones`, () => {
      const steps = { 'all-at-once': [], 'blue-green': [step(0)] }[strategy as string] ?? [
        step(10),
        step(50),
      ];
      const lane = drive(
        scene({ strategy, steps, instances: 3, baselineInstances: strategy === 'canary' ? 1 : 0 }, old),
      );
      assert.equal(lane.state.phase, 'succeeded');
      assert.ok(lane.instances.length === 3 && lane.instances.every(({ digest }) => digest === NEW));
      assert.equal(lane.route?.weights.canary, 100);
      assert.equal(backends(lane, 'serving').length, 3);
    });
  }
}

test('a rolling strategy gives up old capacity only after the traffic has moved', () => {
  const lane = scene({ strategy: 'rolling', steps: [step(25), step(50), step(75)], instances: 4 }, 4);
  const old = () => lane.instances.filter(({ digest }) => digest !== NEW).length;
  for (let i = 0; i < 200 && lane.last?.wakeAtMs !== null; i++) {
    const carried = lane.route?.weights.stable ?? 100;
    const { wakeAtMs } = pass(lane);
    assert.ok(old() >= Math.ceil((carried / 100) * 4), `${old()} old instances under ${carried} %`);
    lane.nowMs = wakeAtMs ?? lane.nowMs;
  }
  assert.equal(lane.state.phase, 'succeeded');
});

test('a release that asks for fewer instances takes none from the version that carries the traffic', () => {
  const lane = drive(scene({ instances: 2 }, 10), ({ state }) => state.phase === 'finishing');
  assert.equal(lane.instances.filter(({ digest }) => digest !== NEW).length, 10);
  const back = drive(scene({ instances: 2 }, 10), atStep(0));
  back.more = { request: request('abort', back.nowMs) };
  assert.equal(drive(back).state.phase, 'aborted');
  assert.equal(back.instances.length, 10);
});

test('a router that loses its route while finishing gets it again, and only then the rollout ends', () => {
  const lane = drive(scene(), ({ state }) => state.phase === 'finishing');
  lane.instances = lane.instances.filter(({ digest }) => digest === NEW);
  lane.route = null;
  const { next, actions } = pass(lane);
  assert.equal(next.phase, 'finishing');
  assert.ok(actions.some((action) => action.kind === 'route'));
  assert.equal(drive(lane).state.phase, 'succeeded');
});

test('an instance that fails while finishing is replaced before the end', () => {
  const lane = drive(scene(), ({ state }) => state.phase === 'finishing');
  change(lane, /new-c1/, { state: 'failed' });
  drive(lane);
  assert.equal(lane.state.phase, 'succeeded');
  assert.deepEqual(
    lane.instances.map(({ state }) => state),
    ['ready', 'ready'],
  );
});

test('a rolling rollback ends once the old version has its full size again', () => {
  const lane = drive(scene({ strategy: 'rolling', steps: [step(50), step(75)], instances: 4 }, 4), atStep(1));
  assert.equal(
    lane.instances.filter(({ digest }) => digest !== NEW).length,
    2,
    'some old ones were given up',
  );
  lane.more = { analysis: { verdict: 'fail', reason: 'errors', atMs: lane.nowMs } };
  const turned = pass(lane);
  assert.equal(starts(turned).length, 2);
  // Weight returns as far as ready old instances carry it.
  assert.deepEqual(turned.next.weights, { stable: 50, baseline: 0, canary: 50 });
  change(lane, /new-s/, { state: 'starting', port: null });
  const canary = lane.state.weights.canary;
  for (let i = 0; i < 5; i++) pass(lane);
  assert.equal(lane.state.weights.canary, canary);
  assert.equal(isTerminal(lane.state.phase), false);
  change(lane, /new-s/, { state: 'ready', port: 1_234 });
  assert.equal(drive(lane).state.phase, 'rolled-back');
  assert.equal(backends(lane, 'serving').length, 4);
});

test('a rollback ends also when the old version cannot be started again', () => {
  const lane = drive(scene(), atStep(0));
  lane.more = { request: request('abort', lane.nowMs) };
  change(lane, /old-c/, { state: 'failed' });
  for (let i = 0; i < 2_000 && !isTerminal(lane.state.phase); i++) {
    pass(lane);
    change(lane, /^old|new-s/, { state: 'failed' });
    lane.nowMs += 200;
  }
  assert.equal(lane.state.phase, 'aborted');
  assert.equal(lane.state.weights.stable, 100);
});

test('the drain time of an instance runs from when the router stops sending to it', () => {
  const lane = drive(scene({ drainS: 5 }), ({ state }) => state.phase === 'finishing');
  const enteredAtMs = lane.nowMs;
  lane.inFlight = { 'oldoldoldold-c1': 1, 'oldoldoldold-c2': 1 };
  // The router refuses for longer than the drain time.
  for (; lane.nowMs < enteredAtMs + 8_000; lane.nowMs += 200) {
    const { actions } = pass(lane, (action) => action.kind !== 'route');
    assert.deepEqual(stops({ ...look(lane), actions }), []);
  }
  pass(lane);
  lane.nowMs += 200;
  pass(lane);
  const drainUntilMs = lane.state.drainUntilMs ?? 0;
  assert.equal(drainUntilMs, lane.nowMs + 5_000);
  lane.nowMs = drainUntilMs - 1;
  assert.deepEqual(stops(look(lane)), []);
  lane.nowMs = drainUntilMs;
  assert.equal(stops(look(lane)).length, 2);
});

test('a late order that makes a drained instance serve again starts its drain time anew', () => {
  const lane = drive(scene({ drainS: 5 }), atStep(0));
  lane.more = { request: request('abort', lane.nowMs) };
  lane.inFlight = { 'newnewnewnew-c1': 1 };
  drive(lane, ({ state }) => state.drainUntilMs !== null);
  lane.nowMs = (lane.state.drainUntilMs ?? 0) + 1_000;
  // A router that lost its fences took an order of the time before.
  const served = { ...lane.route!, weights: { stable: 90, baseline: 0, canary: 10 } };
  lane.route = { ...served, backends: served.backends.map((one) => ({ ...one, state: 'serving' as const })) };
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(stops(pass(lane)), []);
    lane.nowMs += 200;
  }
  assert.ok((lane.state.drainUntilMs ?? 0) >= lane.nowMs + 4_000);
});

test('paused, it never raises the weight, wherever the pause comes', () => {
  for (let at = 0; at < 40; at++) {
    const lane = scene();
    for (let i = 0; i < at; i++) lane.nowMs = pass(lane).wakeAtMs ?? lane.nowMs;
    if (!['preparing', 'stepping', 'promoting'].includes(lane.state.phase)) continue;
    lane.more = { request: request('pause', lane.nowMs) };
    const { canary } = lane.state.weights;
    for (let i = 0; i < 20; i++) lane.nowMs = pass(lane).wakeAtMs ?? lane.nowMs;
    assert.equal(lane.state.weights.canary, canary, `paused after ${at} passes`);
    lane.more = { request: request('resume', lane.nowMs) };
    assert.equal(drive(lane).state.phase, 'succeeded');
  }
});

test('time on hold does not count against the progress deadline, and a pause has an end', () => {
  const lane = drive(
    scene({ progressDeadlineS: 60, steps: [step(10, { manual: true })] }),
    ({ state }) => state.paused !== null,
  );
  lane.nowMs += 3_600_000;
  lane.more = { request: request('resume', lane.nowMs) };
  assert.equal(drive(lane).state.phase, 'succeeded');
  const forgotten = drive(scene(), atStep(0));
  forgotten.more = { request: request('pause', forgotten.nowMs) };
  pass(forgotten);
  forgotten.nowMs += 24 * 3_600_000;
  assert.equal(pass(forgotten).next.turnedBack?.terminal, 'aborted');
});

test('a step begins anew when the router lost its weight', () => {
  const lane = drive(scene(), atStep(0));
  lane.nowMs += 4_900;
  lane.route = null;
  pass(lane);
  assert.equal(lane.state.stepSettledAtMs, null);
  lane.nowMs += 200;
  pass(lane);
  assert.equal(lane.state.stepSettledAtMs, lane.nowMs);
  assert.equal(lane.state.stepIndex, 0);
});

test('a canary that is not ready gets nothing while the old version can serve; its step is not left, and ends', () => {
  const lane = drive(scene(), atStep(0));
  const settledAtMs = lane.state.stepSettledAtMs ?? 0;
  change(lane, /new-c1/, { state: 'unready' });
  pass(lane);
  assert.deepEqual(backends(lane, 'draining'), ['newnewnewnew-c1']);
  for (lane.nowMs = settledAtMs + 6_000; lane.nowMs < settledAtMs + 60_000; lane.nowMs += 1_000) {
    pass(lane);
    assert.equal(lane.state.stepIndex, 0);
  }
  assert.match(pass(lane).reasons[0] ?? '', /not all instances of the step are ready/);
  assert.equal(lane.state.turnedBack?.terminal, 'rolled-back');
});

test('the old version keeps serving when none of it is ready: better than nothing, and than all on the canary', () => {
  const lane = drive(scene(), atStep(0));
  change(lane, /old-c/, { state: 'unready' });
  pass(lane);
  assert.deepEqual(backends(lane, 'serving'), ['newnewnewnew-c1', 'oldoldoldold-c1', 'oldoldoldold-c2']);
  // Also to a router that knows nothing any more.
  lane.route = null;
  pass(lane);
  assert.deepEqual(backends(lane, 'serving'), ['newnewnewnew-c1', 'oldoldoldold-c1', 'oldoldoldold-c2']);
});

test('a first version gets no request before all its instances are ready', () => {
  const lane = scene({ instances: 3 }, 0);
  pass(lane);
  change(lane, /new-c3/, { state: 'starting', port: null });
  pass(lane);
  assert.equal(backends(lane, 'serving').length, 0);
  change(lane, /new-c3/, { state: 'ready', port: 1_234 });
  assert.equal(drive(lane).state.phase, 'succeeded');
});

test('a first version that fails is taken away and leaves nothing behind', () => {
  const lane = scene({}, 0);
  pass(lane);
  change(lane, /new-c1/, { state: 'failed', reason: 'exited with code 1' });
  drive(lane);
  assert.equal(lane.state.phase, 'failed');
  assert.match(lane.state.turnedBack?.reason ?? '', /exited with code 1/);
  assert.deepEqual([lane.instances, lane.route?.backends], [[], []]);
});

test('instances of neither version get no new request and go when nothing is under way on them', () => {
  const lane = scene();
  const stray = instanceOf('zzzzzzzzzzzz-c1', NEW);
  lane.instances.push(stray);
  if (lane.route)
    lane.route = {
      ...lane.route,
      backends: [
        ...lane.route.backends,
        {
          id: stray.id,
          group: 'canary',
          digest: NEW,
          host: stray.host,
          port: stray.port ?? 0,
          state: 'serving',
        },
      ],
    };
  lane.inFlight = { [stray.id]: 1 };
  const first = pass(lane);
  assert.deepEqual([backends(lane, 'draining'), stops(first)], [[stray.id], []]);
  lane.nowMs += 200;
  assert.deepEqual(stops(look(lane)), []);
  lane.inFlight = {};
  assert.deepEqual(stops(look(lane)), [stray.id]);
});

test('requests that match meet the new version only while it has its capacity and nobody is against it', () => {
  const match = [{ header: { name: 'x-canary', value: '1' }, group: 'canary' as const }];
  const lane = scene({ routing: { match, sticky: null }, steps: [step(0), step(50)] });
  pass(lane);
  assert.deepEqual(lane.route?.match, []);
  drive(lane, atStep(0));
  assert.deepEqual(lane.route?.match, match);
  assert.notEqual(lane.state.exposedAtMs, null, 'a match is exposure');
  lane.more = { analysis: { verdict: 'fail', reason: 'errors', atMs: lane.nowMs } };
  pass(lane);
  assert.deepEqual(lane.route?.match, []);
  assert.equal(drive(lane).state.phase, 'rolled-back');
  const through = drive(scene({ routing: { match, sticky: null } }));
  assert.deepEqual([through.state.phase, through.route?.match], ['succeeded', []]);
});

test('an older order may still arrive: the route is given again, nothing is stopped, nothing ends', () => {
  const lane = drive(scene(), atStep(0));
  lane.more = { request: request('abort', lane.nowMs), outstanding: { route: true, stops: [] } };
  // The router looks as if nothing had ever moved.
  if (lane.route) lane.route = { ...lane.route, weights: { stable: 100, baseline: 0, canary: 0 } };
  for (let i = 0; i < 20; i++) {
    const turned = pass(lane, () => false);
    assert.ok(routed(turned));
    assert.deepEqual(stops(turned), []);
    assert.equal(lane.state.zeroTrafficAtMs, null);
    lane.nowMs += 200;
  }
  lane.more = {};
  assert.equal(drive(lane).state.phase, 'aborted');
});

test('an instance whose stop was ordered never serves again and is stopped again', () => {
  const lane = scene({ strategy: 'rolling', steps: [step(50)], instances: 4 }, 4);
  lane.more = { outstanding: { route: false, stops: ['oldoldoldold-c4'] } };
  const first = pass(lane);
  assert.deepEqual(backends(lane, 'draining'), ['oldoldoldold-c4']);
  assert.equal(starts(first).filter((id) => /-s/.test(id)).length, 1, 'another one takes its place');
  assert.deepEqual(stops(look(lane)), ['oldoldoldold-c4']);
});

test('an abort is heard while the data plane is silent, and acted on when it speaks', () => {
  const lane = drive(scene(), atStep(0));
  lane.more = { observation: null, request: request('abort', lane.nowMs) };
  const blind = pass(lane);
  assert.deepEqual([blind.next.phase, blind.actions], ['rolling-back', []]);
  lane.more = {};
  assert.equal(drive(lane).state.phase, 'aborted');
});

test('evidence: a step that asks for a pass waits for a fresh one of its own, and ends at its deadline', () => {
  const spec = { steps: [step(10, { requirePass: true, minimumS: 0 })], analysis: ANALYSIS };
  const lane = drive(scene(spec), atStep(0));
  const settledAtMs = lane.state.stepSettledAtMs ?? 0;
  const verdict = (kind: 'pass' | 'no-data' | 'inconclusive', atMs: number) => ({
    verdict: kind,
    reason: 'x',
    atMs,
  });
  for (const analysis of [
    null,
    verdict('no-data', settledAtMs),
    verdict('inconclusive', settledAtMs),
    verdict('pass', settledAtMs - 1),
  ]) {
    lane.more = { analysis };
    assert.equal(look(lane).next.phase, 'stepping');
  }
  lane.more = { analysis: verdict('pass', settledAtMs) };
  assert.equal(look(lane).next.phase, 'promoting');
  lane.nowMs = settledAtMs + 11_000;
  assert.equal(look(lane).next.phase, 'stepping', 'a pass of 11 s ago is stale');
  lane.nowMs = settledAtMs + 60_000;
  assert.equal(look(lane).next.turnedBack?.terminal, 'rolled-back');
  lane.rollout = { ...lane.rollout, spec: { ...lane.rollout.spec, onInconclusive: 'pause' } };
  assert.match(look(lane).next.paused?.reason ?? '', /inconclusive/);
});

test('what turns it back: a crash loop, a start that takes too long, no progress', () => {
  const looping = drive(scene(), atStep(0));
  change(looping, /new-c1/, { restarts: 3, reason: 'exited with code 1' });
  assert.match(pass(looping).next.turnedBack?.reason ?? '', /restarted 3 times/);
  const slow = scene();
  pass(slow);
  change(slow, /new-c1/, { state: 'starting', port: null, reason: 'no answer' });
  slow.nowMs = 30_000;
  assert.match(
    pass(slow).next.turnedBack?.reason ?? '',
    /not ready within 30 s: newnewnewnew-c1 is starting/,
  );
  assert.equal(slow.state.turnedBack?.terminal, 'failed');
  const late = drive(scene({ progressDeadlineS: 20, steps: [step(10, { minimumS: 30 })] }), atStep(0));
  late.nowMs = 20_000;
  assert.match(pass(late).next.turnedBack?.reason ?? '', /not finished within 20 s/);
});
