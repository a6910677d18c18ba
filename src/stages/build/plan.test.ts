import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BuildStepConfig } from '../../kernel/config.ts';
import type { StepStatus } from '../../kernel/release.ts';
import {
  afterAttempt,
  ancestorsOf,
  checkSteps,
  criticalPath,
  findCycle,
  inOrder,
  type StepState,
  schedule,
} from './plan.ts';

const step = (name: string, needs: string[] = [], over: Partial<BuildStepConfig> = {}): BuildStepConfig => ({
  name,
  run: 'true',
  needs,
  network: false,
  inputs: [],
  outputs: [],
  env: {},
  cache: true,
  timeoutS: 10,
  retries: 0,
  report: null,
  ...over,
});

/** Steps where each needs only some before it: never a circle. */
const acyclic = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 12 })
  .map((rows) =>
    rows.map((picks, i) => step(`s${i}`, i === 0 ? [] : [...new Set(picks.map((pick) => `s${pick % i}`))])),
  );

test('every schedule runs each step once, after all it needs, never more than allowed, and ends', () => {
  fc.assert(
    fc.property(acyclic, fc.integer({ min: 1, max: 4 }), fc.array(fc.boolean()), (steps, parallel, luck) => {
      const states: Record<string, StepState> = {};
      const started: string[] = [];
      let roll = 0;
      for (let round = 0; round < 100; round++) {
        const next = schedule(steps, states, { parallel, stopping: false });
        for (const { name, because } of next.skip) {
          assert.ok(['failed', 'timed-out'].includes(states[because]?.status ?? ''));
          states[name] = { status: 'skipped', attempts: 0 };
        }
        for (const name of next.start) {
          assert.ok(!started.includes(name));
          started.push(name);
          for (const need of steps.find((s) => s.name === name)?.needs ?? [])
            assert.equal(states[need]?.status, 'succeeded');
          states[name] = { status: 'running', attempts: 1 };
        }
        const running = Object.keys(states).filter((name) => states[name]?.status === 'running');
        assert.ok(running.length <= parallel);
        if (next.done) {
          assert.equal(running.length, 0);
          assert.equal(Object.keys(states).length, steps.length);
          return;
        }
        assert.ok(running.length > 0 || next.skip.length > 0, 'nothing moves');
        const ending = running[0];
        if (ending) states[ending] = { status: luck[roll++] === false ? 'failed' : 'succeeded', attempts: 1 };
      }
      assert.fail('the schedule does not end');
    }),
  );
});

test('a circle is named, however it is reached, and acyclic steps have none', () => {
  assert.deepEqual(findCycle([step('a', ['b']), step('b', ['c']), step('c', ['b'])]), ['b', 'c', 'b']);
  assert.deepEqual(findCycle([step('a', ['a'])]), ['a', 'a']);
  fc.assert(fc.property(acyclic, (steps) => findCycle(steps) === null));
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat({ max: 7 }), { maxLength: 3 }), { minLength: 1, maxLength: 8 }),
      (rows) => {
        const steps = rows.map((needs, i) =>
          step(
            `s${i}`,
            needs.filter((n) => n < rows.length).map((n) => `s${n}`),
          ),
        );
        const cycle = findCycle(steps);
        if (cycle === null) return inOrder(steps).length === steps.length;
        assert.equal(cycle[0], cycle.at(-1));
        for (const [i, name] of cycle.slice(0, -1).entries()) {
          assert.ok(steps.find((s) => s.name === name)?.needs.includes(cycle[i + 1] ?? ''));
        }
        return true;
      },
    ),
  );
});

test('ten thousand steps in a row are no problem for the search', () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => step(`s${i}`, i === 0 ? ['s9999'] : [`s${i - 1}`]));
  assert.equal(findCycle(steps)?.length, 10_001);
});

test('ancestors come in order and without the step itself', () => {
  const steps = [step('z', ['y', 'x']), step('y', ['x']), step('x'), step('other')];
  assert.deepEqual(
    ancestorsOf(steps, 'z').map(({ name }) => name),
    ['x', 'y'],
  );
});

test('retries end, cancelled steps never run again', () => {
  assert.equal(afterAttempt({ retries: 1 }, 1, 'failed'), 'retry');
  assert.equal(afterAttempt({ retries: 1 }, 2, 'failed'), 'failed');
  assert.equal(afterAttempt({ retries: 1 }, 2, 'timed-out'), 'timed-out');
  assert.equal(afterAttempt({ retries: 1_000 }, 6, 'failed'), 'failed');
  assert.equal(afterAttempt({ retries: 5 }, 1, 'cancelled'), 'cancelled');
  assert.equal(afterAttempt({ retries: 5 }, 1, 'succeeded'), 'succeeded');
});

test('stopping starts nothing more and is done when nothing runs', () => {
  const steps = [step('a'), step('b'), step('c', ['a'])];
  const states = (a: StepStatus): Record<string, StepState> => ({ a: { status: a, attempts: 1 } });
  assert.deepEqual(schedule(steps, states('running'), { parallel: 9, stopping: true }), {
    start: [],
    skip: [],
    done: false,
  });
  assert.equal(schedule(steps, states('cancelled'), { parallel: 9, stopping: true }).done, true);
});

test('what is out of bounds is said with its place', () => {
  const found = checkSteps([
    step('ok'),
    step('ok'),
    step('Bad Name'),
    step('long', [], { timeoutS: 1e9 }),
    step('again', [], { retries: 99 }),
    step('env', [], { env: { 'A=B': '' } }),
    step('run', [], { run: 'x'.repeat(200_000) }),
  ]);
  assert.deepEqual(
    found.map(({ path }) => path),
    [
      'build.steps[1]',
      'build.steps[2]',
      'build.steps[3].timeoutS',
      'build.steps[4].retries',
      'build.steps[5].env',
      'build.steps[6].run',
    ],
  );
});

test('the critical path is the longest chain, not the longest step', () => {
  const steps = [step('a'), step('b', ['a']), step('c', ['b']), step('wide')];
  assert.deepEqual(criticalPath(steps, { a: 10, b: 20, c: 5, wide: 30 }), {
    steps: ['a', 'b', 'c'],
    durationMs: 35,
  });
  assert.deepEqual(criticalPath([], {}), { steps: [], durationMs: 0 });
});
