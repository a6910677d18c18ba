import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parseServiceConfig } from '../service.ts';
import { initServiceConfig, proposeServiceConfig } from './init.ts';

const home = mkdtempSync(join(tmpdir(), 'slipway-init-'));
after(() => rmSync(home, { recursive: true, force: true }));
let n = 0;

function project(files: Record<string, string>, name = `project-${++n}`): string {
  const directory = join(home, name);
  mkdirSync(directory, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

async function configOf(directory: string) {
  const { text, findings } = await proposeServiceConfig(directory);
  const { config } = parseServiceConfig('slipway.yaml', text);
  assert.ok(config);
  return { config, findings, text };
}

const SHOP = {
  'package.json': JSON.stringify({
    name: '@acme/Shop',
    description: 'Sells: "things" # really',
    scripts: { start: 'NODE_ENV=production node src/server.js', test: 'node --test test/' },
    dependencies: { pino: '1.0.0' },
  }),
  'package-lock.json': '{}',
  'src/server.js': "if (url === '/healthz' || url === '/readyz') ok(); listen(process.env.PORT)",
  'test/cart.test.js': "get('/ready')",
  'public/index.html': '',
  Dockerfile: 'FROM node:20\nEXPOSE 8080 9090/tcp\nCMD ["node", "other.js"]\n',
};

test('a Node service: locked install, tests with a report, layers, readiness, ports', async () => {
  const { config, findings, text } = await configOf(project(SHOP));
  assert.equal(config.name, 'shop');
  assert.equal(config.description, 'Sells: "things" # really');
  assert.deepEqual(
    config.build.steps.map((step) => [step.name, step.needs, step.network]),
    [
      ['install', [], true],
      ['test', ['install'], false],
    ],
  );
  assert.equal(config.build.steps[0]?.run, 'npm ci');
  assert.match(
    config.build.steps[1]?.run ?? '',
    /node --test --test-reporter=spec .*reports\/junit\.xml test\//,
  );
  assert.deepEqual(config.build.steps[1]?.report, { format: 'junit', path: 'reports/junit.xml' });
  assert.deepEqual(
    config.build.image.layers.map((layer) => layer.from),
    [['node_modules'], ['package.json', 'public', 'src']],
  );
  assert.deepEqual(config.build.image.entrypoint, ['node', 'src/server.js']);
  assert.deepEqual(config.build.image.ports, [8080, 9090]);
  assert.equal(config.run.readiness.path, '/readyz');
  assert.deepEqual(findings, []);
  assert.equal(
    text,
    `# How this service is built, tested, packed and run by Slipway.
# yaml-language-server: $schema=https://slipway.dev/schemas/service.schema.json
apiVersion: slipway.dev/v1
kind: Service
name: shop
# Who answers for it: a team or a person.
owner: unowned
description: "Sells: \\"things\\" # really"

build:
  # Steps run in a sandbox, in parallel where "needs" allows, without network unless they ask for it.
  steps:
    # Exactly what the lockfile says; runs again only when these inputs change.
    - name: install
      run: npm ci
      network: true
      inputs: [package.json, package-lock.json]
      outputs: [node_modules]
    # Its report becomes signed evidence that the gates ask for.
    - name: test
      run: |
        mkdir -p reports
        node --test --test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit --test-reporter-destination=reports/junit.xml test/
      needs: [install]
      report: { format: junit, path: reports/junit.xml }
  image:
    # scratch, or repository@sha256:... of an image in the registry.
    base: scratch
    layers:
      # Changes seldom, so it comes first.
      - name: dependencies
        from: [node_modules]
      # The program itself.
      - name: app
        from: [package.json, public, src]
    entrypoint: [node, src/server.js]
    ports: [8080, 9090]

run:
  # Each instance is told its port in the variable PORT.
  instances: 2
  readiness:
    path: /readyz
  # Between SIGTERM and SIGKILL: finish the requests under way.
  stopGrace: 10s
  resources:
    memory: 512Mi
`,
  );
});

test('TypeScript with a build and vitest; yarn and pnpm lockfiles', async () => {
  const files = {
    'package.json': JSON.stringify({
      scripts: { build: 'tsc', test: 'vitest', start: 'node dist/main.js && echo' },
      devDependencies: { typescript: '5' },
      main: './dist/main.js',
    }),
    'tsconfig.json': '{ "compilerOptions": { "outDir": "./out" } }',
    'pnpm-lock.yaml': '',
    'src/main.ts': 'serve("/health")',
  };
  const { config, findings } = await configOf(project(files, 'My_Service.v2'));
  assert.equal(config.name, 'my-service-v2');
  assert.deepEqual(
    config.build.steps.map((step) => step.run.split('\n')[0]),
    [
      'pnpm install --frozen-lockfile',
      'npm run build',
      'npx vitest run --reporter=default --reporter=junit --outputFile.junit=reports/junit.xml',
    ],
  );
  assert.deepEqual(config.build.steps[1]?.outputs, ['out']);
  assert.equal(config.run.readiness.path, '/health');
  assert.ok(findings.some((text) => text.includes('PORT')));
});

test('what is missing is said', async () => {
  const { findings } = await configOf(project({ 'package.json': '{"dependencies": {"a": "1"}}' }));
  for (const word of ['lockfile', 'tests', 'entrypoint', 'readiness', 'PORT']) {
    assert.ok(
      findings.some((text) => text.includes(word)),
      word,
    );
  }
});

test('Go, Python, a Dockerfile alone, and an empty folder', async () => {
  const go = await configOf(
    project({ 'go.mod': 'module x', 'cmd/api/main.go': 'HandleFunc("/readyz") os.Getenv("PORT")' }),
  );
  assert.match(go.config.build.steps[0]?.run ?? '', /go build .*\.\/cmd\/api$/);
  const python = await configOf(
    project({ 'requirements.txt': '', 'app.py': "os.environ['PORT'] '/healthz'" }),
  );
  assert.deepEqual(python.config.build.image.entrypoint, ['python3', 'app.py']);
  assert.equal(python.config.build.steps[1]?.report?.path, 'reports/junit.xml');
  const docker = await configOf(
    project({ Dockerfile: 'FROM a\nENTRYPOINT ["/bin/x"]\nCMD ["--y"]', 'x.sh': '' }),
  );
  assert.deepEqual(docker.config.build.image.entrypoint, ['/bin/x', '--y']);
  await configOf(project({}));
});

test('it never overwrites, and never follows links out of the folder', async () => {
  const directory = project(SHOP);
  const { path, text } = await initServiceConfig(directory);
  assert.equal(readFileSync(path, 'utf8'), text);
  writeFileSync(path, 'mine');
  await assert.rejects(initServiceConfig(directory), { code: 'invalid_state' });
  assert.equal(readFileSync(path, 'utf8'), 'mine');
  await assert.rejects(initServiceConfig(join(home, 'nowhere')), { code: 'not_found' });
  const linked = project({});
  symlinkSync('/', join(linked, 'root'));
  symlinkSync(linked, join(linked, 'self'));
  await configOf(linked);
});

test('law: whatever a project calls itself, the text parses', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('true', '1.0', 'a: b', '- x', '#x', "'", 'null', '~', '&a', '*', '%', '@x'),
  );
  await fc.assert(
    fc.asyncProperty(odd, odd, odd, odd, async (name, description, start, script) => {
      const manifest = {
        name,
        description,
        scripts: { start: `node ${start}`, test: `node --test ${script}` },
        main: start,
      };
      await configOf(
        project(
          { 'package.json': JSON.stringify(manifest), Dockerfile: `CMD ${JSON.stringify([start || 'x'])}` },
          'law',
        ),
      );
    }),
    { numRuns: 60 },
  );
});
