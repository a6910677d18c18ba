import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { formatDiagnostic } from '../../kernel/errors.ts';
import { DEFAULT_PLATFORM_FILES, defaultPlatform } from './default-platform.ts';
import { parsePlatform, presetStrategies } from './platform.ts';

const folder = fileURLToPath(new URL('../../../examples/platform', import.meta.url));
const example = Object.fromEntries(
  readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]),
);
const HEAD = 'apiVersion: slipway.dev/v1\n';

function problems(...documents: string[]): string[] {
  const text = documents.map((document) => HEAD + document).join('\n---\n');
  return parsePlatform({ 'p.yaml': text }).diagnostics.map(formatDiagnostic);
}

const env = (name: string, more = '') => `kind: Environment\nname: ${name}\n${more}`;

test('the example platform is sound, and the demonstration canary is what it says', () => {
  const { config, diagnostics } = parsePlatform(example);
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(
    config?.environments.map(({ name, after }) => [name, after]),
    [
      ['dev', null],
      ['staging', 'dev'],
      ['prod', 'staging'],
    ],
  );
  const canary = config?.strategies.find((strategy) => strategy.name === 'demo-canary');
  assert.deepEqual(
    canary?.steps.map((step) => step.weight),
    [25, 50],
  );
  assert.ok(canary?.steps.every((step) => step.requirePass && step.minimumS >= 5));
  const { errors, latency } = canary?.analysis ?? {};
  const weights = [errors?.weight ?? 0, ...(latency ?? []).map((metric) => metric.weight)];
  assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-9);
});

test('the builtin platform has the policies of the example', () => {
  assert.deepEqual(defaultPlatform().diagnostics, []);
  assert.equal(DEFAULT_PLATFORM_FILES['policies.yaml'], example['policies.yaml']);
});

test('presets are there without being written, and can be replaced', () => {
  const names = [
    'canary-careful',
    'canary-standard',
    'canary-budgeted',
    'canary-fast',
    'blue-green',
    'rolling',
    'all-at-once',
  ];
  assert.deepEqual([...presetStrategies().keys()], names);
  const { config } = parsePlatform({
    'p.yml': `${HEAD}${env('dev', 'strategy: rolling')}\n---\n${HEAD}kind: Strategy\nname: rolling\ntype: rolling\ndrain: 1s`,
  });
  assert.equal(config?.strategies.find((strategy) => strategy.name === 'rolling')?.drainS, 1);
  assert.equal(config?.strategies.length, names.length);
});

test('files that are no YAML are left alone; documents may be split in any way', () => {
  const all = Object.entries(example).filter(([name]) => name.endsWith('.yaml'));
  const one = parsePlatform({ 'all.yaml': all.map(([, text]) => text).join('\n---\n'), 'README.md': '{{{' });
  const order = (names: readonly { name: string }[] | undefined) => names?.map((item) => item.name).sort();
  const split = parsePlatform(example).config;
  assert.deepEqual(one.diagnostics, []);
  assert.deepEqual(order(one.config?.environments), order(split?.environments));
});

test('each mistake has its line, what was expected, and a way out', () => {
  const strategy = (more: string) => `kind: Strategy\nname: x\ntype: canary\n${more}`;
  const cases: [string[], RegExp][] = [
    [
      [env('prod', 'after: stagin'), env('staging')],
      /^p\.yaml:4:8: there is no environment "stagin" \(Did you mean "staging"\?\)/,
    ],
    [[env('a', 'after: b'), env('b', 'after: a')], /environments go in a circle: a after b after a/],
    [[env('a', 'after: a')], /circle: a after a/],
    [
      [env('a'), env('a')],
      /^p\.yaml:8:7: the environment "a" stands twice \(It stands first in p\.yaml:3\.\)/,
    ],
    [[env('default')], /no environment may be called "default"/],
    [
      [env('a', 'strategy: canary-standart')],
      /no strategy "canary-standart" \(Did you mean "canary-standard"\?\)/,
    ],
    [[env('a', 'policies: [nope]')], /^p\.yaml:4:12: there is no policy "nope"/],
    [[env('a', 'listenPort: 80'), env('b', 'listenPort: 80')], /the environment "a" has this port/],
    [[env('a', 'promotion: { soak: 1h }')], /soak needs an environment before/],
    [[env('b'), env('a', 'after: b\npromotion: { soak: 2d }')], /soak: expected less than the deadline/],
    [
      [env('a', 'promotion: { approvals: { from: [aprover] } }')],
      /no role "aprover" \(Did you mean "approver"\?\)/,
    ],
    [
      [env('a'), strategy('steps: [{weight: 50%}, {weight: 10%}]')],
      /weight: expected more than the 50% of the step before, got 10%/,
    ],
    [[env('a'), strategy('steps: [{weight: 10}]')], /weight: expected a text, got 10 \(Write 10%\./],
    [[env('a'), strategy('steps: [{weight: 101%}]')], /expected a percentage from 0% to 100%/],
    [[env('a'), strategy('steps: [{weight: 10%, require: pass}]')], /require: pass needs an analysis/],
    [
      [env('a'), strategy('steps: [{weight: 10%, for: 2h, deadline: 1h}]')],
      /for: expected at most the deadline/,
    ],
    [
      [env('a'), strategy('progressDeadline: 1m\nsteps: [{weight: 10%, for: 2m}]')],
      /progressDeadline: expected more than all steps/,
    ],
    [[env('a'), strategy('analysis: { errors: false }')], /the analysis compares nothing/],
    [
      [env('a'), strategy('analysis: { errors: { weight: 0.5 }, latency: [{quantile: p99, weight: 0.4}] }')],
      /weights must sum to 1.*0\.9/,
    ],
    [[env('a'), strategy('analysis: { latency: [{quantile: p99, weight: 0.4}] }')], /weights must sum to 1/],
    [
      [env('a'), strategy('analysis: { latency: [{quantile: p99}, {quantile: p99}] }')],
      /this quantile stands twice/,
    ],
    [
      [env('a'), strategy('analysis: { latency: [{quantile: p98}] }')],
      /quantile: expected one of p50, p95, p99, got "p98" \(Did you mean/,
    ],
    [[env('a'), strategy('analysis: { errors: yes }')], /errors: expected/],
    [
      [env('a'), strategy('steps: [{weight: 10%}]\nanalysis: { guard: true }')],
      /guard: expected every step to require a pass \(Only a step/,
    ],
    [
      [env('a'), strategy('analysis: { budget: { objective: 100%, share: 1% } }')],
      /objective: expected more than 0% and less than 100%/,
    ],
    [[env('a'), strategy('analysis: { budget: { objective: 0%, share: 1% } }')], /objective: expected more/],
    [[env('a'), strategy('analysis: { budget: { objective: 99%, share: 0% } }')], /share: expected more/],
    [[env('a'), strategy('analysis: { budget: { objective: 99% } }')], /share/],
    [
      [env('a'), strategy('analysis: { budget: { objective: 99%, share: 1%, harm: 5% } }')],
      /harm is for computed steps/,
    ],
    [
      [env('a'), strategy('analysis: { budget: { objective: 99%, share: 1%, steps: from-traffic } }')],
      /from-traffic needs a canary with steps of its own/,
    ],
    [
      [
        env('a'),
        strategy(
          'steps: [{weight: 1%}]\nanalysis: { errors: false, latency: [{quantile: p99}], budget: { objective: 99%, share: 1%, steps: from-traffic } }',
        ),
      ],
      /from-traffic needs the errors to be compared/,
    ],
    [
      [env('a'), strategy('routing: { match: [{}] }')],
      /expected a header or a cookie \(Such as \{ header: \{ name: x-canary/,
    ],
    [
      [env('a'), strategy('routing: { match: [{ header: { name: "x y", value: a } }] }')],
      /expected a name of letters, digits/,
    ],
    [
      [env('a'), strategy('routing: { match: [{ header: { name: x, value: "a\\r\\nb" } }] }')],
      /expected printable ASCII without spaces/,
    ],
    [
      [env('a'), strategy('routing: { match: [{ cookie: { name: x, value: "a;b" } }] }')],
      /expected a cookie value/,
    ],
    [
      [env('a'), strategy('routing: { match: [{ cookie: { name: x, value: a } }], sticky: { cookie: x } }')],
      /the cookie "x" is the one that keeps visitors/,
    ],
    [
      [
        env('a'),
        strategy(
          'routing: { match: [{ cookie: { name: x, value: a } }, { cookie: { name: x, value: a } }] }',
        ),
      ],
      /this match stands twice/,
    ],
    [
      [env('a'), 'kind: Polcy\nname: x'],
      /expected kind: Environment, Strategy, Policy, Access, got "Polcy" \(Did you mean "Policy"\?\)/,
    ],
    [[env('a'), 'name: x'], /expected kind/],
    [[env('a'), 'kind: Service\nname: x'], /A service is described by slipway\.yaml/],
    [['kind: Access\nroles: { admin: [read] }', env('a')], /the role "admin" cannot be redefined/],
    [['kind: Access\nroles: { x: [fly] }', env('a')], /expected one of read, release/],
    [
      [
        'kind: Access\ngrants: [{ subject: "token:a", role: viewr, services: ["*"], environments: ["*"] }]',
        env('a'),
      ],
      /no role "viewr" \(Did you mean "viewer"\?\)/,
    ],
    [
      [
        'kind: Access\ngrants: [{ subject: "token:a", role: viewer, services: ["*"], environments: [prod] }]',
        env('a'),
      ],
      /no environment "prod"/,
    ],
    [
      [
        'kind: Access\ngrants: [{ subject: alice, role: viewer, services: ["*"], environments: ["*"] }]',
        env('a'),
      ],
      /expected a subject such as token:alice/,
    ],
    [
      [
        'kind: Policy\nname: x\nallow: "true"\nmessage: m\ntests: [{name: t, facts: {}, expect: alow}]',
        env('a'),
      ],
      /expected one of allow, deny.*Did you mean "allow"/,
    ],
    [['kind: Policy\nname: x\nallow: ""\nmessage: m', env('a')], /allow: expected a text that is not empty/],
    [['kind: Access'], /the platform has no environment/],
  ];
  for (const [documents, expected] of cases) {
    const found = problems(...documents);
    assert.ok(
      found.some((text) => expected.test(text)),
      `${expected}\n${found.join('\n')}`,
    );
  }
});

test('bounds: files and bytes', () => {
  const many = Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`${i}.yaml`, '']));
  assert.match(parsePlatform(many).diagnostics[0]?.message ?? '', /201 files/);
  const large = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`${i}.yaml`, '#'.repeat(100_000)]));
  assert.match(parsePlatform(large).diagnostics[0]?.message ?? '', /bytes/);
  assert.match(parsePlatform({}).diagnostics[0]?.message ?? '', /no environment/);
});

test('law: a platform with mistakes is never half a platform, and every mistake has a place', () => {
  const texts = Object.values(example).filter((text) => text.startsWith('#') && !text.startsWith('# An'));
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.nat(3000),
      fc.nat(40),
      fc.string({ maxLength: 6 }),
      (text, at, length, insert) => {
        const broken = text.slice(0, at) + insert + text.slice(at + length);
        const { config, diagnostics } = parsePlatform({ ...example, 'extra.yaml': broken });
        assert.equal(config === null, diagnostics.length > 0);
        assert.ok(
          diagnostics.every((one) => one.position && one.position.line >= 1 && one.message.length > 5),
        );
      },
    ),
    { numRuns: 100 },
  );
});
