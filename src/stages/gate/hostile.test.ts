import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_EXPRESSION_CHARS } from './expression.ts';
import { GOOD_FACTS, policy, withFact } from './facts.testing.ts';
import { ENVIRONMENTS_LIMIT, MESSAGE_LIMIT } from './facts.ts';
import { decide } from './judge.ts';
import { compilePolicy } from './plan.ts';
import { MAX_COST } from './typing.ts';

/** What people write who want the gate to hang, to crash or to say yes. CPU time, for a machine that is busy elsewhere. */
const QUICK_MS = 400;

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const LARGEST = withFact(
  withFact(GOOD_FACTS, ['commit', 'message'], 'a'.repeat(MESSAGE_LIMIT)),
  ['history', 'succeededIn'],
  Array.from({ length: ENVIRONMENTS_LIMIT }, (_, i) => `environment-${i}`),
);

/** Never throws, is quick, and does not allow. */
function refused(allow: string): void {
  let outcome = '';
  const ms = cpuMs(() => {
    outcome = decide([policy(allow)], LARGEST).outcome;
  });
  assert.equal(outcome, 'deny', allow.slice(0, 80));
  assert.ok(ms < QUICK_MS, `${allow.slice(0, 80)}: ${ms} ms`);
}

const deep = (n: number, open: string, middle: string, close: string) =>
  open.repeat(n) + middle + close.repeat(n);

test('deep nesting', () => {
  for (const n of [100, 1_000, 4_000]) {
    refused(deep(n, '(', 'true', ')'));
    refused(deep(n, '[', 'true', ']'));
    refused(deep(n, '!', 'true', ''));
    refused(deep(n, '-', '1', ' == 1'));
    refused(deep(n, 'true ? (', 'true', ') : false'));
    refused(deep(n, 'history.succeededIn.all(x, ', 'true', ')'));
    refused(deep(n, '{1: ', 'true', '}'));
    refused(deep(n, '(', 'true', ''));
  }
  for (const n of [2, 8, 30]) assert.equal(decide([policy(deep(n, '(', 'true', ')'))], {}).outcome, 'allow');
});

test('long chains that load are still quick, those that do not fit do not load', () => {
  refused(`${'true && '.repeat(5_000)}true`);
  refused(`"${'x'.repeat(1_000_000)}" == ""`);
  refused(`${'9'.repeat(5_000)} == 1`);
  refused(`1${' + 1'.repeat(1_500)} == 0`);
  refused(`${'commit.sha + '.repeat(250)}"" == ""`);
  refused(`commit${'.sha'.repeat(1_500)} == ""`);
  refused(`[1]${'[0]'.repeat(1_500)} == 1`);
  refused(`"a"${'.size()'.repeat(1_000)} == 1`);
  refused(`[${'1,'.repeat(3_000)}1] == []`);
  refused(`"a"${' + "a"'.repeat(1_000)} == ""`);
  assert.equal(compilePolicy(policy(`${' '.repeat(MAX_EXPRESSION_CHARS)}true`)).ok, false);
  const chain = policy(`${'true && '.repeat(900)}true`);
  assert.ok(cpuMs(() => assert.equal(decide([chain], {}).outcome, 'allow')) < QUICK_MS);
});

test('loops inside loops', () => {
  const over = (depth: number, list: string) => {
    let body = 'true';
    for (let i = 0; i < depth; i++) body = `${list}.all(v${i}, ${body})`;
    return body;
  };
  refused(over(3, 'history.succeededIn'));
  refused(over(8, 'history.succeededIn'));
  refused(over(20, '[1, 2, 3, 4]'));
  refused(
    'history.succeededIn.map(a, history.succeededIn.map(b, history.succeededIn.map(c, a + b + c))) == []',
  );
  refused('[1].map(a, "x".startsWith("y") ? history.succeededIn : history.succeededIn).size() == 9');
  assert.equal(decide([policy(over(2, 'history.succeededIn'))], LARGEST).outcome, 'allow');
});

test('what costs the most and still loads takes a moment', () => {
  const costly = [
    'history.succeededIn.all(a, history.succeededIn.exists(b, a == b))',
    'history.succeededIn.exists(a, history.succeededIn.map(b, a + b).filter(c, c == "").size() > 0)',
    'commit.message.matches("(a|b|c|aa)*d")',
    `commit.message.matches("^(a?){40}${'a'.repeat(40)}$")`,
    '(commit.message + commit.message + commit.message).contains("b")',
  ];
  let loaded = 0;
  for (const allow of costly) {
    const compilation = compilePolicy(policy(allow));
    if (!compilation.ok) continue;
    loaded++;
    assert.ok(compilation.compiled.allow.cost <= MAX_COST);
    const ms = cpuMs(() => decide([policy(allow)], LARGEST));
    assert.ok(ms < QUICK_MS, `${allow}: ${ms} ms`);
  }
  assert.ok(loaded >= 3, `${loaded} of them load`);
});

test('regular expression bombs', () => {
  for (const pattern of ['(a+)+$', '(a|a)*b', '(a*)*b', '(.*)(.*)(.*)(.*)(.*)x', '(a|aa)+$']) {
    const ms = cpuMs(() => decide([policy(`commit.message.matches(r"${pattern}")`)], LARGEST));
    assert.ok(ms < QUICK_MS, `${pattern}: ${ms} ms`);
  }
  for (const pattern of [
    '(a{100}){100}',
    '((a{30}){30}){30}',
    'a{1001}',
    '(a{0,1000}){0,1000}',
    '(',
    '(?=a)',
    '\\\\1',
    'x'.repeat(300),
  ]) {
    refused(`commit.message.matches("${pattern}")`);
  }
  refused('commit.author.matches(commit.message)');
  refused('commit.message.matches("a" + "+")');
});

test('names that reach for what is not a fact', () => {
  for (const allow of [
    'true.constructor == true',
    '__proto__ != ""',
    'commit.__proto__ != ""',
    'constructor.name != ""',
    'commit.sha.length > 0',
    'toString() != ""',
    'globalThis != ""',
    'commit["sha"] != ""',
    'evidence.values().size() > 0',
    'type(commit) == type(commit)',
    'dyn(true)',
    'has(commit.sha)',
    'has(evidence.scan)',
    'google.protobuf.BoolValue{value: true}',
    'b"a" == b"a"',
    '!(0.0/0.0 > 5.0)',
    '!(double("NaN") > 5.0)',
    'null == null',
    '1u == 1u',
    '@result || true',
    '@nonempty([true])[0]',
    '"',
    '',
    ' ',
    '\0',
    'true; true',
    'true\u2028false',
    'тrue',
  ]) {
    refused(allow);
  }
});

test('nothing that is not true lets through', () => {
  for (const allow of [
    '1',
    '"true"',
    '[true]',
    '1 == 1 ? 1 : 0',
    'commit.sha',
    'timestamp("2026-01-01T00:00:00Z")',
  ])
    refused(allow);
  for (const allow of [
    '1 / 0 == 1',
    '[1][5] == 1',
    'timestamp("never") == timestamp("never")',
    '9223372036854775807 + 1 > 0',
  ]) {
    refused(allow);
    refused(`!(${allow})`);
  }
});

test('all() of nothing is no yes', () => {
  const none = withFact(GOOD_FACTS, ['history', 'succeededIn'], []);
  for (const allow of [
    'history.succeededIn.all(e, e != "prod")',
    '!history.succeededIn.all(e, e != "prod")',
    'history.succeededIn.filter(e, e == "nowhere").all(e, false)',
    'size(history.succeededIn) == 0 && history.succeededIn.all(e, false)',
    '[1].map(x, history.succeededIn.all(e, false))[0]',
    '[].all(x, x)',
  ]) {
    assert.equal(decide([policy(allow)], none).outcome, 'deny', allow);
  }
  assert.equal(decide([policy('history.succeededIn.all(e, e != "prod")')], GOOD_FACTS).outcome, 'allow');
  assert.equal(
    decide([policy('size(history.succeededIn) == 0 || history.succeededIn.all(e, e != "prod")')], none)
      .outcome,
    'allow',
  );
});

test('any text at all is read without a crash, and quickly', () => {
  const pieces = fc.constantFrom(
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '?',
    ':',
    '!',
    '-',
    '.',
    ',',
    '"',
    "'",
    '&&',
    '||',
    '==',
    'in',
    'commit',
    '.sha',
    'all(',
    'x',
    '1',
    ' ',
    '\n',
    '\\',
    '{{',
    '}}',
    'r"',
    '"""',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (any) => {
      const judged = decide([policy(any, { message: any })], GOOD_FACTS);
      assert.ok(['allow', 'deny'].includes(judged.outcome));
      for (const diagnostic of (
        compilePolicy(policy(any)) as { diagnostics?: { position?: { line: number; column: number } }[] }
      ).diagnostics ?? []) {
        assert.ok(diagnostic.position && diagnostic.position.line >= 1 && diagnostic.position.column >= 1);
      }
    }),
    { numRuns: 2_000 },
  );
});
