import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RolloutState } from '../../kernel/rollout.ts';
import { check } from './check.ts';
import { drive, type Scene, scene } from './lane.testing.ts';
import { type Case, caseOf, moments, step } from './moments.testing.ts';
import { instanceOf, NEW, OLD } from './rollout.testing.ts';
import type { Action, Plan } from './situation.ts';

const judge = ({ lane, before, situation, plan }: Case) => check(lane.rollout, before, situation, plan);
test('every moment has a plan that passes, and does something where it should', () => {
  for (const [name, make] of Object.entries(moments)) assert.deepEqual(judge(caseOf(make())), [], name);
  for (const name of ['starting', 'raising', 'takingOver', 'stopping', 'turning'])
    assert.ok(caseOf(moments[name]!()).plan.actions.length > 0, name);
});

const next = (plan: Plan, more: Partial<RolloutState>): Plan => ({
  ...plan,
  next: { ...plan.next, ...more },
});
const actions = (plan: Plan, change: (action: Action) => Action | Action[]): Plan => ({
  ...plan,
  actions: plan.actions.flatMap(change),
});
type Route = Extract<Action, { kind: 'route' }>;
const routes = (plan: Plan, change: (route: Route) => Route) =>
  actions(plan, (action) => (action.kind === 'route' ? change(action) : action));
const backends = (
  plan: Plan,
  change: (backend: Route['backends'][number]) => Route['backends'][number] | [],
) => routes(plan, (route) => ({ ...route, backends: route.backends.flatMap(change) }));
const firstOld = (lane: Scene) => lane.instances.find(({ digest }) => digest === OLD)?.id ?? '';

/** Each takes a sound plan of a moment and breaks one rule; the invariant is the one that must be named. */
const corruptions: readonly [string, number, (given: Case) => Partial<Case>][] = [
  [
    'raising: weights that do not sum',
    2,
    ({ plan }) => ({ plan: next(plan, { weights: { stable: 90, baseline: 0, canary: 20 } }) }),
  ],
  [
    'raising: a route that says more than the state',
    6,
    ({ plan }) => ({
      plan: routes(plan, (r) => ({ ...r, weights: { stable: 50, baseline: 0, canary: 50 } })),
    }),
  ],
  [
    'raising: more than the step allows',
    3,
    ({ plan }) => ({
      plan: next(
        routes(plan, (r) => ({ ...r, weights: { stable: 60, baseline: 0, canary: 40 } })),
        { weights: { stable: 60, baseline: 0, canary: 40 } },
      ),
    }),
  ],
  [
    'raising: without the instances in the route',
    2,
    ({ plan }) => ({ plan: backends(plan, (b) => (b.group === 'canary' ? [] : b)) }),
  ],
  [
    'raising: with instances that are not ready',
    2,
    ({ lane, situation, plan }) => ({
      situation: {
        ...situation,
        observation: {
          instances: lane.instances.map((i) => (i.digest === NEW ? { ...i, state: 'starting' as const } : i)),
          route: lane.route,
          inFlight: {},
        },
      },
      plan,
    }),
  ],
  [
    'raising: without having looked',
    2,
    ({ situation, plan }) => ({ situation: { ...situation, observation: null }, plan }),
  ],
  [
    'raising: to an instance nobody has seen',
    2,
    ({ plan }) => ({ plan: backends(plan, (b) => ({ ...b, port: b.port + 1 })) }),
  ],
  [
    'raising: the old version serves as the new one',
    10,
    ({ plan }) => ({ plan: backends(plan, (b) => ({ ...b, group: 'canary' })) }),
  ],
  [
    'raising: an instance whose stop was ordered',
    7,
    ({ lane, situation, plan }) => ({
      situation: { ...situation, outstanding: { route: false, stops: [firstOld(lane)] } },
      plan,
    }),
  ],
  [
    'raising: the old version loses what it needs',
    2,
    ({ plan }) => ({ plan: backends(plan, (b) => (b.group === 'stable' ? { ...b, state: 'draining' } : b)) }),
  ],
  [
    'raising: an old one stopped beside it',
    2,
    ({ lane, plan }) => ({
      plan: { ...plan, actions: [...plan.actions, { kind: 'stop-instance', id: firstOld(lane) }] },
    }),
  ],
  ['raising: straight to the end', 6, ({ plan }) => ({ plan: next(plan, { phase: 'succeeded' }) })],
  ['raising: never looked at again', 6, ({ plan }) => ({ plan: { ...plan, wakeAtMs: null } })],
  [
    'raising: matched requests before there is capacity',
    3,
    ({ before, plan }) => ({
      before: { ...before, phase: 'preparing' },
      plan: next(
        routes(plan, (r) => ({ ...r, match: [{ header: { name: 'a', value: 'b' }, group: 'canary' }] })),
        { phase: 'preparing', weights: { stable: 100, baseline: 0, canary: 0 } },
      ),
    }),
  ],
  [
    'starting: another digest as the canary',
    10,
    ({ plan }) => ({ plan: actions(plan, (a) => (a.kind === 'start-instance' ? { ...a, digest: OLD } : a)) }),
  ],
  [
    'starting: as an instance of another rollout',
    10,
    ({ plan }) => ({
      plan: actions(plan, (a) => (a.kind === 'start-instance' ? { ...a, id: 'zzzzzzzzzzzz-c1' } : a)),
    }),
  ],
  [
    'leavingStep: on no data',
    8,
    ({ situation, plan }) => ({ situation: { ...situation, analysis: null }, plan }),
  ],
  [
    'leavingStep: on an inconclusive verdict',
    8,
    ({ situation, plan }) => ({
      situation: { ...situation, analysis: { verdict: 'inconclusive', reason: '', atMs: situation.nowMs } },
      plan,
    }),
  ],
  [
    'leavingStep: on a pass of the step before',
    8,
    ({ before, situation, plan }) => ({
      situation: {
        ...situation,
        analysis: { verdict: 'pass', reason: '', atMs: (before.stepSettledAtMs ?? 0) - 1 },
      },
      plan,
    }),
  ],
  [
    'leavingStep: on a stale pass',
    8,
    ({ before, situation, plan }) => ({
      situation: {
        ...situation,
        nowMs: situation.nowMs + 60_000,
        analysis: { verdict: 'pass', reason: '', atMs: (before.stepSettledAtMs ?? 0) + 1 },
      },
      plan,
    }),
  ],
  [
    'leavingStep: before its time',
    3,
    ({ before, situation, plan }) => ({
      situation: { ...situation, nowMs: (before.stepSettledAtMs ?? 0) + 4_999 },
      plan,
    }),
  ],
  ['leavingStep: two at once', 3, ({ plan }) => ({ plan: next(plan, { stepIndex: 2 }) })],
  [
    'leavingStep: without having looked',
    8,
    ({ situation, plan }) => ({
      situation: { ...situation, observation: null },
      plan: { ...plan, actions: [] },
    }),
  ],
  [
    'leavingStep: although the analysis failed',
    4,
    ({ situation, plan }) => ({
      situation: { ...situation, analysis: { verdict: 'fail', reason: '', atMs: situation.nowMs } },
      plan,
    }),
  ],
  [
    'leavingStep: a manual one that nobody let pass',
    3,
    ({ lane, plan }) => ({
      lane: {
        ...lane,
        rollout: {
          ...lane.rollout,
          spec: { ...lane.rollout.spec, steps: [step(10, { manual: true }), step(50)] },
        },
      },
      plan,
    }),
  ],
  ['paused: advancing', 8, ({ before, plan }) => ({ plan: next(plan, { stepIndex: before.stepIndex + 1 }) })],
  [
    'paused: raising',
    3,
    ({ plan }) => ({ plan: next(plan, { weights: { stable: 50, baseline: 0, canary: 50 } }) }),
  ],
  [
    'stopping: with requests under way',
    2,
    ({ lane, situation, plan }) => ({
      situation: {
        ...situation,
        observation: { instances: lane.instances, route: lane.route, inFlight: { [firstOld(lane)]: 1 } },
      },
      plan,
    }),
  ],
  [
    'stopping: while a route order may still arrive',
    7,
    ({ situation, plan }) => ({ situation: { ...situation, outstanding: { route: true, stops: [] } }, plan }),
  ],
  [
    'stopping: what the router sends to',
    2,
    ({ lane, situation, plan }) => ({
      situation: {
        ...situation,
        observation: {
          instances: lane.instances,
          route: lane.route && {
            ...lane.route,
            backends: lane.route.backends.map((b) => ({ ...b, state: 'serving' as const })),
          },
          inFlight: {},
        },
      },
      plan,
    }),
  ],
  [
    'ending: before the router carries it',
    2,
    ({ lane, situation, plan }) => ({
      situation: { ...situation, observation: { instances: lane.instances, route: null, inFlight: {} } },
      plan,
    }),
  ],
  [
    'ending: with an old instance left',
    2,
    ({ lane, situation, plan }) => ({
      situation: {
        ...situation,
        observation: {
          instances: [...lane.instances, instanceOf('oldoldoldold-c9', OLD)],
          route: lane.route,
          inFlight: {},
        },
      },
      plan,
    }),
  ],
  [
    'ending: with something left to do',
    6,
    ({ lane, plan }) => ({
      plan: { ...plan, actions: [{ kind: 'stop-instance', id: lane.instances[0]?.id ?? '' }] },
    }),
  ],
  ['turning: going on instead', 4, ({ before, plan }) => ({ plan: { ...plan, next: before } })],
  [
    'turning: with more weight',
    4,
    ({ plan }) => ({
      plan: next(
        routes(plan, (r) => ({ ...r, weights: { stable: 0, baseline: 0, canary: 100 } })),
        { weights: { stable: 0, baseline: 0, canary: 100 } },
      ),
    }),
  ],
  [
    'returning: for another reason',
    4,
    ({ plan }) => ({
      plan: next(plan, { turnedBack: { atMs: 0, by: 'x', reason: 'y', terminal: 'failed' } }),
    }),
  ],
  ['returning: as if it had not', 4, ({ plan }) => ({ plan: next(plan, { turnedBack: null }) })],
  ['returning: forward again', 4, ({ plan }) => ({ plan: next(plan, { phase: 'stepping' }) })],
  [
    'endingBack: with traffic on the new version',
    4,
    ({ lane, situation, plan }) => {
      const canary = instanceOf(`${lane.rollout.id.slice(-12)}-c1`, NEW);
      const backend = {
        id: canary.id,
        group: 'canary' as const,
        digest: NEW,
        host: canary.host,
        port: canary.port ?? 0,
        state: 'serving' as const,
      };
      const route = lane.route && {
        ...lane.route,
        weights: { stable: 90, baseline: 0, canary: 10 },
        backends: [...lane.route.backends, backend],
      };
      return {
        situation: {
          ...situation,
          observation: { instances: [...lane.instances, canary], route, inFlight: {} },
        },
        plan,
      };
    },
  ],
  [
    'endingBack: with a weight in its state',
    4,
    ({ before, plan }) => ({
      before: { ...before, weights: { stable: 90, baseline: 0, canary: 10 } },
      plan: next(plan, { weights: { stable: 90, baseline: 0, canary: 10 } }),
    }),
  ],
];

for (const [name, invariant, corrupt] of corruptions) {
  test(`refused: ${name}`, () => {
    const given = caseOf(moments[name.split(':')[0] ?? '']!());
    const violations = judge({ ...given, ...corrupt(given) });
    assert.ok(
      violations.some((violation) => violation.invariant === invariant),
      JSON.stringify(violations),
    );
  });
}

test('an instance whose stop was ordered may be drained again, whatever its share needs', () => {
  const lane = scene({ instances: 2 }, 2);
  const id = lane.instances[0]?.id ?? '';
  lane.more = { outstanding: { route: false, stops: [id] } };
  const given = caseOf(lane);
  assert.ok(
    given.plan.actions.some(
      (a) => a.kind === 'route' && a.backends.some((b) => b.id === id && b.state === 'draining'),
    ),
  );
  assert.deepEqual(judge(given), []);
});

test('what has ended never changes', () => {
  const lane = drive(scene());
  const given = caseOf(lane);
  assert.deepEqual(judge(given), []);
  for (const plan of [
    next(given.plan, { stepIndex: 9 }),
    next(given.plan, { phase: 'failed' }),
    { ...given.plan, actions: [{ kind: 'stop-instance' as const, id: 'x' }] },
  ])
    assert.equal(judge({ ...given, plan })[0]?.invariant, 6);
});
