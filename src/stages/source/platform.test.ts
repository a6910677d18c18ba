import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSlipwayError } from '../../kernel/errors.ts';
import { currentPlatform } from './platform.ts';
import { sourceRoutes } from './routes.ts';
import { callRoute, testSource } from './testing.ts';

const source = await testSource();
after(() => source.close());
const routes = sourceRoutes(source.deps);
const folder = fileURLToPath(new URL('../../../examples/platform', import.meta.url));
const example = Object.fromEntries(
  readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]),
);

test('until somebody applies one, the builtin platform holds', async () => {
  const platform = await callRoute(routes, 'getPlatform');
  assert.equal(platform.builtin, true);
  const { config } = await currentPlatform(source.deps.database);
  assert.deepEqual(
    config.environments.map((one) => one.name),
    ['dev', 'staging', 'prod'],
  );
});

test('a platform is applied, read back, and applied again without effect', async () => {
  const commit = 'a'.repeat(40);
  const applied = await callRoute(routes, 'applyPlatform', { body: { files: example, commit } });
  assert.equal(applied.changed, true);
  const platform = await callRoute(routes, 'getPlatform');
  assert.equal(platform.digest, applied.digest);
  assert.equal(platform.commit, commit);
  assert.equal(platform.appliedBy, 'token:admin');
  assert.deepEqual(platform.files, example);
  const comment = { ...example, 'environments.yaml': `# a comment\n${example['environments.yaml']}` };
  assert.deepEqual(await callRoute(routes, 'applyPlatform', { body: { files: comment } }), {
    digest: applied.digest,
    changed: false,
  });
  const other = {
    ...example,
    'environments.yaml': `${example['environments.yaml']}---\napiVersion: slipway.dev/v1\nkind: Environment\nname: lab\n`,
  };
  const next = await callRoute(routes, 'applyPlatform', { body: { files: other } });
  assert.equal((await currentPlatform(source.deps.database)).digest, next.digest, 'no stale copy');
  const back = await callRoute(routes, 'applyPlatform', { body: { files: example } });
  assert.deepEqual(back, { digest: applied.digest, changed: true });
  const entries = (await source.ledger()) as unknown as {
    kind: string;
    subject: string;
    data: { previous: string };
  }[];
  assert.deepEqual(
    entries.map((one) => one.kind),
    Array(3).fill('platform.applied'),
  );
  assert.equal(entries[2]?.data.previous, next.digest);
});

test('what does not parse, or whose policy tests fail, changes nothing and says where', async () => {
  const before = (await currentPlatform(source.deps.database)).digest;
  const bad = {
    ...example,
    'strategies.yaml': 'apiVersion: slipway.dev/v1\nkind: Strategy\nname: x\ntype: canari\n',
  };
  await assert.rejects(callRoute(routes, 'applyPlatform', { body: { files: bad } }), (error) => {
    assert.ok(isSlipwayError(error));
    assert.deepEqual(error.diagnostics[0]?.position, { file: 'strategies.yaml', line: 4, column: 7 });
    return true;
  });
  const valid = await callRoute(routes, 'validatePlatform', { body: { files: bad } });
  assert.equal(valid.valid, false);

  const failing = {
    path: 'tests[1].facts.evidence',
    message: 'expected deny, got allow',
    position: { file: 'policy sbom-present', line: 1, column: 1 },
  };
  const strict = sourceRoutes({ ...source.deps, testPolicies: () => [failing] });
  await assert.rejects(callRoute(strict, 'applyPlatform', { body: { files: example } }), (error) => {
    assert.ok(isSlipwayError(error));
    const lines = (example['policies.yaml'] ?? '').split('\n');
    const policy = lines.indexOf('name: sbom-present');
    const line = lines.findIndex((text, index) => index > policy && text.includes('name: none')) + 1;
    assert.equal(error.diagnostics[0]?.position?.line, line + 1);
    return true;
  });
  for (const path of ['/etc/x.yaml', '../x.yaml', 'a/../../x.yaml', 'x\n.yaml', 'a'.repeat(300)]) {
    const result = callRoute(routes, 'applyPlatform', { body: { files: { [path]: 'x' } } });
    await assert.rejects(result, (error) => isSlipwayError(error) || (error as Error).name === 'ZodError');
  }
  assert.equal((await currentPlatform(source.deps.database)).digest, before);
});

test('a platform that was changed in the database is refused', async () => {
  const fresh = await testSource();
  const own = sourceRoutes(fresh.deps);
  await callRoute(own, 'applyPlatform', { body: { files: example } });
  await fresh.deps.database.query(
    `update platform_revisions set document = jsonb_set(document, '{policies}', '[]')`,
  );
  await assert.rejects(currentPlatform(fresh.deps.database), { code: 'tampered' });
  await fresh.close();
});
