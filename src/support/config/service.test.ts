import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDiagnostic } from '../../kernel/errors.ts';
import { defaultPlatform } from './default-platform.ts';
import { configDigest } from './digest.ts';
import { parseServiceConfig } from './service.ts';

const MINIMAL = `apiVersion: slipway.dev/v1
kind: Service
name: shop
build:
  image:
    layers:
      - from: [src, package.json]
    entrypoint: [node, src/server.js]
`;

const FULL = `# yaml-language-server: $schema=x
apiVersion: slipway.dev/v1
kind: Service
name: shop
owner: team-shop
description: The storefront
releases: every
build:
  steps:
    - name: install
      run: npm ci
      network: true
      inputs: [package.json, package-lock.json]
      outputs: [node_modules]
      timeout: 5m
      retries: 2
    - name: test
      run: |
        npm test
      needs: [install]
      env: { CI: "true" }
      cache: false
      report: { format: junit, path: reports/junit.xml }
  image:
    base: base/node@sha256:${'a'.repeat(64)}
    layers:
      - { name: deps, from: [node_modules] }
      - { from: [src], to: /srv, exclude: ["**/*.test.js"] }
    entrypoint: [node, src/server.js]
    command: [--fast]
    env: { NODE_ENV: production }
    user: node
    ports: [8080]
    labels: { team: shop }
    compression: gzip
run:
  env: { LOG_LEVEL: info }
  instances: { default: 2, prod: 6 }
  readiness: { path: /healthz, period: 250ms, timeout: 2s, failureThreshold: 5 }
  startTimeout: 1m
  stopGrace: 15s
  resources: { memory: 256Mi, openFiles: 1024 }
  strategy: { prod: canary-careful }
`;

/** MINIMAL with one line replaced. */
function edited(from: string, to: string): string {
  assert.ok(MINIMAL.includes(from));
  return MINIMAL.replace(from, to);
}

function first(text: string): string {
  const { config, diagnostics } = parseServiceConfig('slipway.yaml', text);
  assert.equal(config, null);
  return diagnostics.map(formatDiagnostic)[0] ?? '';
}

test('eight lines are a service; the defaults are sensible', () => {
  const { config, diagnostics } = parseServiceConfig('slipway.yaml', MINIMAL);
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(config, {
    name: 'shop',
    owner: 'unowned',
    description: '',
    build: {
      steps: [],
      image: {
        base: 'scratch',
        layers: [{ name: 'layer-1', from: ['src', 'package.json'], to: '/app', exclude: [] }],
        entrypoint: ['node', 'src/server.js'],
        command: [],
        workdir: '/app',
        env: {},
        user: '65532:65532',
        ports: [],
        labels: {},
        compression: 'zstd',
      },
    },
    run: {
      env: {},
      instances: { default: 2 },
      readiness: { path: '/readyz', periodMs: 500, timeoutMs: 1000, failureThreshold: 3 },
      startTimeoutMs: 30_000,
      stopGraceMs: 10_000,
      resources: { memoryBytes: null, openFiles: null },
      strategy: {},
    },
  });
});

test('everything that can be said is read, with units resolved', () => {
  const { config, releases, diagnostics } = parseServiceConfig(
    'slipway.yaml',
    FULL,
    defaultPlatform().config ?? undefined,
  );
  assert.deepEqual(diagnostics, []);
  assert.equal(releases, 'every');
  assert.deepEqual(config?.build.steps[0], {
    name: 'install',
    run: 'npm ci',
    needs: [],
    network: true,
    inputs: ['package.json', 'package-lock.json'],
    outputs: ['node_modules'],
    env: {},
    cache: true,
    timeoutS: 300,
    retries: 2,
    report: null,
  });
  assert.deepEqual(config?.build.steps[1]?.report, { format: 'junit', path: 'reports/junit.xml' });
  assert.equal(config?.build.image.layers[1]?.name, 'layer-2');
  assert.deepEqual(config?.run.instances, { default: 2, prod: 6 });
  assert.deepEqual(config?.run.resources, { memoryBytes: 268_435_456, openFiles: 1024 });
  assert.equal(config?.run.readiness.periodMs, 250);
});

test('each mistake has its line, what was expected, and a way out', () => {
  const cases: [string, RegExp][] = [
    [
      edited('entrypoint:', 'entrypiont:'),
      /^slipway\.yaml:8:5: unknown key "entrypiont" \(Did you mean "entrypoint"\?\)$/m,
    ],
    [edited('kind: Service', 'kind: Servcie'), /^slipway\.yaml:2:7: kind: expected Service, got "Servcie"/],
    [
      edited('v1', 'v2'),
      /^slipway\.yaml:1:13: apiVersion: expected slipway\.dev\/v1, got "slipway\.dev\/v2"/,
    ],
    [edited('name: shop', 'name: My Shop'), /^slipway\.yaml:3:7: name: expected a name of lower-case/],
    [
      edited('name: shop', 'name: 8080'),
      /^slipway\.yaml:3:7: name: expected a text, got 8080 \(Put it in quotes: "8080"/,
    ],
    [edited('name: shop\n', ''), /^slipway\.yaml:1:1: missing key "name" \(Name of the service/],
    [
      edited('[node, src/server.js]', 'node src/server.js'),
      /expected a list.*Write a list: \[node, src\/server\.js\]/,
    ],
    [
      edited('src, package.json', '../src'),
      /^slipway\.yaml:7:16: from\[0\]: expected a path below the source root/,
    ],
    [edited('src, package.json', '/src'), /expected a path below/],
    [edited('[src, package.json]', '[]'), /from: expected at least one path, got an empty list/],
    [
      `${MINIMAL}run: { readiness: { path: readyz } }`,
      /^slipway\.yaml:9:27: path: expected a path that begins with "\/"/,
    ],
    [`${MINIMAL}run: { startTimeout: 30 }`, /startTimeout: expected a text, got 30 \(Add the unit: 30s\./],
    [`${MINIMAL}run: { startTimeout: 9h }`, /startTimeout: expected a duration from 1s to 30m, got "9h"/],
    [`${MINIMAL}run: { env: { PORT: "80" } }`, /key "PORT": .*set by Slipway/],
    [`${MINIMAL}run: { env: { V: 1.10 } }`, /V: expected a text, got 1\.10 \(Put it in quotes: "1\.10"/],
    [
      `${MINIMAL}run: { instances: many }`,
      /instances: expected a whole number of instances or a mapping|instances: expected/,
    ],
    [`${MINIMAL}run: { instances: { prod: 0 } }`, /prod: expected/],
    [`${MINIMAL}run: null`, /^slipway\.yaml:9:6: run: expected a mapping of keys to values, got nothing/],
    [
      edited('  image:', '  steps: [{name: a, run: x, needs: [bb]}, {name: b, run: x}]\n  image:'),
      /^slipway\.yaml:5:37: needs: there is no step "bb" \(Did you mean "b"\?\)/,
    ],
    [
      edited('  image:', '  steps: [{name: a, run: x, needs: [b]}, {name: b, run: x, needs: [a]}]\n  image:'),
      /needs go in a circle: a -> b -> a/,
    ],
    [edited('  image:', '  steps: [{name: a, run: x, needs: [a]}]\n  image:'), /circle: a -> a/],
    [
      edited('  image:', '  steps: [{name: a, run: x}, {name: a, run: y}]\n  image:'),
      /the step "a" stands twice/,
    ],
    [
      edited('  image:', '  image:\n    base: node:20'),
      /base: expected "scratch" or an image pinned by digest/,
    ],
    [`${MINIMAL}---\n${MINIMAL}`, /^slipway\.yaml:10:1: expected one document/],
    ['', /^slipway\.yaml:1:1: the file is empty/],
    ['# nothing\n', /the file is empty/],
    ['just text', /expected a mapping of keys to values, got "just text"/],
    ['- a\n- b', /expected a mapping of keys to values, got a list/],
  ];
  for (const [text, expected] of cases) assert.match(first(text), expected);
});

test('all mistakes come at once, in the order of the file', () => {
  const text = edited('name: shop', 'name: Shop\nownr: x').replace('entrypoint', 'entry');
  const { diagnostics } = parseServiceConfig('slipway.yaml', text);
  assert.deepEqual(
    diagnostics.map((one) => one.position?.line),
    [3, 4, 6, 9],
  );
});

test('with a platform, environments and strategies must exist', () => {
  const platform = defaultPlatform().config ?? undefined;
  const text = `${MINIMAL}run: { instances: { prd: 2 }, strategy: { prod: canary-standart } }`;
  assert.deepEqual(parseServiceConfig('slipway.yaml', text).diagnostics, []);
  const found = parseServiceConfig('slipway.yaml', text, platform).diagnostics.map(formatDiagnostic);
  assert.match(found[0] ?? '', /no environment "prd" \(Did you mean "prod"\?\)/);
  assert.match(found[1] ?? '', /no strategy "canary-standart" \(Did you mean "canary-standard"\?\)/);
});

test('the digest follows meaning, not writing', () => {
  const digest = (text: string) => configDigest(parseServiceConfig('f', text).config);
  assert.equal(digest(MINIMAL), digest(`# comment\n${MINIMAL}owner: unowned\n`));
  assert.notEqual(digest(MINIMAL), digest(`${MINIMAL}owner: me\n`));
});

test('law: broken text never throws; every diagnostic has a position inside the text, a message, one line', () => {
  const junk = fc.constantFrom(
    '\t',
    '&a ',
    '*a',
    '[',
    ']',
    '{',
    '}',
    ':',
    '- ',
    '\n',
    '"',
    "'",
    '|',
    '!!x ',
    '? ',
    '%',
    '0',
    'null',
    '\u0000',
    '🚀',
    '<<: ',
  );
  const edit = fc.record({
    at: fc.nat(FULL.length),
    remove: fc.nat(30),
    insert: fc.array(junk, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(MINIMAL, FULL),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      (base, edits) => {
        let text = base;
        for (const { at, remove, insert } of edits)
          text = text.slice(0, at) + insert.join('') + text.slice(at + remove);
        const { config, diagnostics } = parseServiceConfig('slipway.yaml', text);
        assert.equal(config === null, diagnostics.length > 0);
        const lines = text.split('\n');
        for (const { message, hint, position } of diagnostics) {
          assert.ok(
            position && position.line >= 1 && position.line <= lines.length + 1,
            `line of ${message}`,
          );
          assert.ok(position.column >= 1 && position.column <= (lines[position.line - 1]?.length ?? 0) + 2);
          assert.ok(
            message.length > 5 && !message.includes('\n') && !hint?.includes('\n'),
            JSON.stringify(message),
          );
          assert.ok(!/undefined|\[object|Invalid input|call stack/.test(message), message);
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('law: any bytes give an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { config, diagnostics } = parseServiceConfig('f', bytes);
      assert.ok(config === null && diagnostics.length > 0 && diagnostics.every((one) => one.position));
    }),
  );
});
