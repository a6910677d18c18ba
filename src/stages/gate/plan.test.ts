import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPlatform } from '../../support/config/default-platform.ts';
import { GOOD_FACTS, policy, withFact } from './facts.testing.ts';
import { decide, testPolicies } from './judge.ts';
import { compilePolicy, policyHash } from './plan.ts';

function problem(allow: string, message = 'No.') {
  const compilation = compilePolicy(policy(allow, { message }));
  assert.equal(compilation.ok, false, allow);
  const [first] = (
    compilation as { diagnostics: { path: string; message: string; hint?: string; position?: object }[] }
  ).diagnostics;
  return first!;
}

const at = (line: number, column: number) => ({ file: 'policy policy', line, column });

test('a mistake is found when the policy loads, where it stands', () => {
  assert.deepEqual(problem('commit.sha != "" &&\n  evidence.scan.critcal == 0'), {
    path: 'allow',
    message: 'there is no fact "evidence.scan.critcal"',
    hint: 'Known below evidence.scan: present, verified, key, problem, critical, high, databaseAgeS.',
    position: at(2, 17),
  });
  assert.deepEqual(problem('true && commt.sha != ""').position, at(1, 9));
  assert.deepEqual(problem('\n\n  commit.sha commit').position, at(3, 14));
  assert.deepEqual(problem('release.number == "7"').position, at(1, 16));
  assert.deepEqual(problem('history.succeededIn.all(e, e)').position, at(1, 20));
});

test('types that do not meet are said in words', () => {
  const cases: [string, RegExp][] = [
    ['commit', /group of facts/],
    ['commit.sha', /gives no true\/false/],
    ['commit.sha.size', /has no fields/],
    ['release.number && true', /"&&" needs true\/false/],
    ['release.number == "7"', /a number never equals a text/],
    ['1 in history.succeededIn', /never in a list of a text/],
    ['"a" in "abc"', /needs a list/],
    ['commit.sha + 1 == ""', /"\+" cannot be used on a text and a number/],
    ['commit.sha < 1', /"<" cannot be used on a text and a number/],
    ['has(commit.sha)', /has\(\) cannot be used/],
    ['1.5 > 1.0', /only whole numbers/],
    ['commit.all(c, true)', /group of facts/],
    ['commit.sha.all(c, true)', /needs a list/],
    ['history.succeededIn.all(e, e)', /must be true\/false/],
    ['history.succeededIn.all(commit, true)', /has a meaning already/],
    ['history.succeededIn.all(e, history.succeededIn.all(e, true))', /has a meaning already/],
    ['history.succeededIn.exists(1, true)', /no function "exists"|variable/],
    ['[1, "a"].size() == 2', /of one type/],
    ['true ? 1 == 1 : "a"', /the two sides of ":" differ/],
    ['lowerAscii(commit.sha) == ""', /no function "lowerAscii"/],
  ];
  for (const [allow, expected] of cases) assert.match(problem(allow).message, expected, allow);
});

test('what is good CEL over the facts loads and answers', () => {
  const yes = [
    'evidence.test.passed > 0 && evidence.test.failed == 0',
    '"staging" in history.succeededIn',
    'history.succeededIn.exists(e, e.startsWith("stag"))',
    'history.succeededIn.exists_one(e, e == "dev")',
    'history.succeededIn.filter(e, e != "dev") == ["staging"]',
    'history.succeededIn.map(e, e + "!")[0] == "dev!"',
    'history.succeededIn.map(e, e == "dev", size(e)) == [3]',
    'environment.production ? evidence.scan.critical == 0 : true',
    'artifact.digest.matches("^sha256:[0-9a-f]{64}$")',
    'commit.message.contains("Storefront") || commit.message == ""',
    'timestamp(commit.committedAt) < timestamp("2026-03-03T00:00:00Z")',
    'timestamp("2026-03-03T00:00:00Z") - timestamp(commit.committedAt) < duration("24h")',
    'timestamp(commit.committedAt).getDayOfWeek() == 1',
    'evidence.provenance.commit == commit.sha',
    'string(release.number) + "/" + service.name == "7/shop"',
    'release.number in [6, 7] && !(release.number in [])',
    '-release.number < 0 && release.number % 2 == 1',
    '.commit.sha == commit.sha',
  ];
  for (const allow of yes) {
    const judged = decide([policy(allow)], GOOD_FACTS);
    assert.equal(judged.outcome, 'allow', `${allow}: ${judged.results[0]?.reason}`);
  }
});

test('messages tell the facts, and say what is not known', () => {
  const message =
    'Release {{ release.number }} of {{ service.name + "!" }}: {{ evidence.scan.critical }} critical.';
  const say = (facts: unknown) => decide([policy('false', { message })], facts).results[0]?.reason;
  assert.equal(say(GOOD_FACTS), 'Release 7 of shop!: 0 critical.');
  assert.equal(say({ service: { name: 'shop' } }), 'Release (not known) of shop!: (not known) critical.');
  assert.deepEqual(problem('true', 'a\nb {{ commit.nothing }}').position, at(2, 13));
  assert.equal(problem('true', 'a\nb {{ commit.nothing }}').path, 'message');
  assert.match(problem('true', '{{ commit.sha').message, /without/);
  assert.match(problem('true', '{{ history.succeededIn }}').message, /no text/);
  const long = decide(
    [policy('false', { message: '{{ commit.message }}' })],
    withFact(GOOD_FACTS, ['commit', 'message'], 'x'.repeat(9_000)),
  );
  assert.equal(long.results[0]?.reason.length, 2_000);
});

test('missing evidence is named; evidence that does not verify says why', () => {
  const allow =
    'evidence.sbom.verified && evidence.sbom.components > 0 && evidence.scan.critical == 0 && release.number > 0';
  const judged = decide([policy(allow)], {
    evidence: { sbom: { present: true, verified: false, problem: 'the signature is wrong' } },
  }).results[0]!;
  assert.deepEqual(judged.missing, ['evidence.sbom', 'evidence.scan', 'release.number']);
  assert.match(judged.reason, /evidence\.sbom is there but does not verify: the signature is wrong\./);
  assert.deepEqual(decide([policy(allow)], GOOD_FACTS).results[0]?.missing, []);
});

test('the tests inside policies are run', () => {
  const tests = [
    { name: 'good', facts: { release: { number: 2 } }, expect: 'allow' },
    { name: 'wrong', facts: { release: { number: 1 } }, expect: 'allow' },
    { name: 'missing', facts: {}, expect: 'deny' },
    { name: 'unknown fact', facts: { release: { nummer: 2 } }, expect: 'deny' },
    { name: 'unfit', facts: { commit: { sha: 0 } }, expect: 'deny' },
  ] as const;
  const found = testPolicies([policy('release.number > 1', { name: 'later', tests })]);
  assert.deepEqual(
    found.map(({ path }) => path),
    ['tests[1]', 'tests[3].facts.release.nummer', 'tests[4].facts.commit.sha'],
  );
  assert.equal(found[0]?.message, 'test "wrong": expected allow, got deny');
  assert.match(found[2]?.hint ?? '', /put it in quotes/);
  assert.equal(testPolicies([policy('release.number >')]).length, 1);
  const warns = policy('false', { severity: 'warn', tests: [{ name: 'warns', facts: {}, expect: 'deny' }] });
  assert.deepEqual(testPolicies([warns]), []);
});

test('the policies that come with Slipway load', () => {
  const { config, diagnostics } = defaultPlatform();
  assert.deepEqual(diagnostics, []);
  for (const one of config?.policies ?? []) assert.equal(compilePolicy(one).ok, true, one.name);
});

test('the hash names the set: not its order, but everything in it', () => {
  const [a, b] = [policy('true', { name: 'a' }), policy('true', { name: 'b' })];
  assert.equal(policyHash([a, b]), policyHash([b, a]));
  const hashes = [
    [a],
    [b],
    [a, b],
    [{ ...a, allow: 'false' }],
    [{ ...a, severity: 'warn' as const }],
    [{ ...a, message: 'x' }],
    [],
  ].map(policyHash);
  assert.equal(new Set(hashes).size, hashes.length);
});
