import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { factPaths, GOOD_FACTS, policy, withFact } from './facts.testing.ts';
import { FACTS, factAt, knownFacts } from './facts.ts';
import { decide } from './judge.ts';
import { compilePolicy } from './plan.ts';

/** Policies of every operator and macro that loads, over all facts. */
const PATHS = factPaths();
const named = (kind: string) =>
  fc.constantFrom(
    ...PATHS.filter((path) => {
      const type = path.reduce(
        (at, name) => (at as { fields: Record<string, unknown> }).fields[name] as never,
        FACTS,
      );
      return (type as { kind: string }).kind === kind;
    }).map((path) => path.join('.')),
  );

const { bool } = fc.letrec<{ bool: string; int: string; text: string }>((tie) => {
  const [b, i, t] = [tie('bool'), tie('int'), tie('text')];
  const two = <A>(a: fc.Arbitrary<A>, join: (x: A, y: A) => string) =>
    fc.tuple(a, a).map(([x, y]) => join(x, y));
  const name = fc.constantFrom('"dev"', '"staging"', '"prod"', '"build"', '""');
  return {
    bool: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      named('bool'),
      fc.constantFrom('true', 'false'),
      fc
        .tuple(fc.constantFrom('==', '!=', '<', '<=', '>', '>='), i, i)
        .map(([op, x, y]) => `(${x} ${op} ${y})`),
      fc.tuple(fc.constantFrom('==', '!='), t, t).map(([op, x, y]) => `(${x} ${op} ${y})`),
      fc.tuple(fc.constantFrom('==', '!='), b, b).map(([op, x, y]) => `(${x} ${op} ${y})`),
      fc
        .tuple(fc.constantFrom('startsWith', 'endsWith', 'contains'), t, t)
        .map(([f, x, y]) => `${x}.${f}(${y})`),
      fc.tuple(fc.constantFrom('&&', '||'), b, b).map(([op, x, y]) => `(${x} ${op} ${y})`),
      b.map((x) => `!(${x})`),
      fc.tuple(b, b, b).map(([x, y, z]) => `(${x} ? ${y} : ${z})`),
      t.map((x) => `(${x} in history.succeededIn)`),
      fc.tuple(t, t, t).map(([x, y, z]) => `(${x} in [${y}, ${z}])`),
      fc
        .tuple(fc.constantFrom('all', 'exists', 'exists_one'), name, b)
        .map(([macro, x, y]) => `history.succeededIn.${macro}(e, e == ${x} || ${y})`),
      fc.tuple(name, b).map(([x, y]) => `(history.succeededIn.filter(e, e != ${x} && ${y}).size() > 0)`),
      fc.tuple(b, i).map(([x, y]) => `([1, ${y}].map(e, ${x}, e + 1) == [2])`),
    ),
    int: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      named('int'),
      fc.constantFrom('0', '1', '7', '-3'),
      fc.tuple(fc.constantFrom('+', '-', '*', '/', '%'), i, i).map(([op, x, y]) => `(${x} ${op} ${y})`),
      t.map((x) => `size(${x})`),
    ),
    text: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      named('string'),
      name,
      two(t, (x, y) => `(${x} + ${y})`),
      i.map((x) => `string(${x})`),
    ),
  };
});

/** Values that are no fact of any kind, and values that are one, but of another kind. */
const WRONG: readonly unknown[] = [
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  0.5,
  2 ** 53,
  '\ud800',
  'nul\0',
  'x'.repeat(70_000),
  [1],
  ['dev', null],
  Array.from({ length: 100 }, () => 'dev'),
  {},
  { toString: 'x' },
  new Date(0),
];
const wrongAt = (path: readonly string[]) =>
  fc
    .constantFrom(...WRONG, undefined, 'text', 5, true, ['dev'])
    .filter((value) => factAt(withFact({}, path, value), path) === undefined);

const facts = fc
  .tuple(
    fc.subarray(['dev', 'staging', 'prod']),
    fc.array(
      fc.tuple(
        fc.constantFrom(...PATHS),
        fc.constantFrom<unknown>(true, false, 0, 1, 7, 'prod', 'build', ''),
      ),
      { maxLength: 8 },
    ),
  )
  .map(([succeededIn, changes]) =>
    changes.reduce<Record<string, unknown>>(
      (at, [path, value]) =>
        factAt(withFact({}, path, value), path) === undefined ? at : withFact(at, path, value),
      withFact(GOOD_FACTS, ['history', 'succeededIn'], succeededIn),
    ),
  );

const damage = fc.array(
  fc
    .constantFrom(...PATHS, ['evidence'], ['commit'], ['evidence', 'test'], ['history'], ['release'])
    .chain((path) => fc.tuple(fc.constant(path), wrongAt(path))),
  { minLength: 1, maxLength: 3 },
);

test('taking away or corrupting any facts never turns a deny into an allow', () => {
  let [loaded, allowed] = [0, 0];
  fc.assert(
    fc.property(bool, facts, damage, (allow, whole, changes) => {
      if (compilePolicy(policy(allow)).ok) loaded++;
      const broken = changes.reduce((at, [path, value]) => withFact(at, path, value), whole);
      const after = decide([policy(allow)], broken);
      if (after.outcome !== 'allow') return;
      allowed++;
      assert.equal(decide([policy(allow)], whole).outcome, 'allow', allow);
    }),
    { numRuns: 4_000 },
  );
  // The law says something only if policies loaded and let through.
  assert.ok(loaded > 3_500 && allowed > 400, `${loaded} loaded, ${allowed} allowed`);
});

test('a policy that names a fact outright needs it, whatever stands in its place', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PATHS).chain((path) => fc.tuple(fc.constant(path), wrongAt(path))),
      ([path, value]) => {
        const fact = path.join('.');
        const { outcome, results } = decide(
          [policy(`${fact} == ${fact}`)],
          withFact(GOOD_FACTS, path, value),
        );
        assert.equal(outcome, 'deny');
        assert.equal(
          decide([policy(`${fact} == ${fact}`)], GOOD_FACTS).outcome,
          path[2] === 'problem' ? 'deny' : 'allow',
        );
        const name = path[2] === 'verified' ? path.slice(0, 2).join('.') : fact;
        assert.deepEqual(results[0]?.missing, [name]);
      },
    ),
  );
});

test('no facts at all, or something that is not facts, is a deny', () => {
  for (const nothing of [undefined, null, 5, 'x', [], {}, Object.create({ commit: GOOD_FACTS.commit })]) {
    assert.equal(decide([policy('commit.sha != ""')], nothing).outcome, 'deny');
  }
});

test('what is recorded is judged as it was', () => {
  fc.assert(
    fc.property(bool, facts, damage, (allow, whole, changes) => {
      const broken = changes.reduce((at, [path, value]) => withFact(at, path, value), whole);
      const recorded = JSON.parse(JSON.stringify(knownFacts(broken)));
      assert.deepEqual(decide([policy(allow)], recorded), decide([policy(allow)], broken));
    }),
    { numRuns: 500 },
  );
});

test('one deny among any policies is a deny, one that does not load as well', () => {
  const [yes, no, unreadable] = [policy('true'), policy('false'), policy('no such thing')];
  const warns = policy('false', { severity: 'warn' });
  assert.equal(decide([yes, yes], {}).outcome, 'allow');
  assert.equal(decide([yes, warns], {}).outcome, 'warn');
  assert.equal(decide([warns, no, yes], {}).outcome, 'deny');
  assert.equal(decide([yes, { ...unreadable, severity: 'warn' }], {}).outcome, 'deny');
  assert.equal(decide([], {}).outcome, 'allow');
});
