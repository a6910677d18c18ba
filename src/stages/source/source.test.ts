import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { isSlipwayError } from '../../kernel/errors.ts';
import { testRepository } from '../../platform/git/testing.ts';
import { ensureCommit, pollService } from './apply.ts';
import { sourceRoutes } from './routes.ts';
import { callRoute, SERVICE_YAML, testSource } from './testing.ts';

const source = await testSource();
const { deps } = source;
const routes = sourceRoutes(deps);
const repository = testRepository();
after(async () => {
  repository.remove();
  await source.close();
});

const file = (text: string) => ({ 'slipway.yaml': text, 'src/server.js': '// hello\n' });
const named = (name: string, more = '') => SERVICE_YAML.replace('name: shop', `name: ${name}${more}`);

test('a service is registered from its own slipway.yaml, once; the hook secret is shown once', async () => {
  repository.commit(file(SERVICE_YAML));
  const body = { repository: repository.url };
  const first = await callRoute(routes, 'registerService', { body });
  const { secret, paths } = first.hook as { secret: string; paths: Record<string, string> };
  assert.equal(first.name, 'shop');
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(paths.github, '/v1/hooks/github/shop');
  assert.deepEqual(source.woken, ['shop']);

  const again = await callRoute(routes, 'registerService', { body });
  assert.equal(again.created, false);
  assert.equal((again.hook as { secret: null }).secret, null);
  const stored = JSON.stringify(await deps.database.query('select * from services'));
  assert.ok(!stored.includes(secret), 'sealed at rest');
  assert.ok(!JSON.stringify(await callRoute(routes, 'listServices')).includes('secret'));
  assert.deepEqual(
    (await source.ledger()).map((entry) => entry.kind),
    ['service.registered'],
  );
});

test('polls record commits and make releases, each once, however often and from how many sides', async () => {
  const first = await pollService(deps, 'shop');
  assert.equal(first.problem, null);
  assert.equal(first.recorded.length, 1);
  assert.equal(first.releases.length, 1);

  const second = repository.commit({ 'src/a.js': '1' }, 'Second\n\nbody');
  const third = repository.commit({ 'src/a.js': '2' }, 'Third');
  const results = await Promise.all([
    pollService(deps, 'shop'),
    pollService(deps, 'shop'),
    pollService(deps, 'shop'),
  ]);
  assert.deepEqual(
    results.flatMap((result) => result.recorded),
    [second, third],
  );
  assert.equal(results.flatMap((result) => result.releases).length, 1);
  assert.deepEqual(await source.releases(), [first.head, third]);
  const seen = (await source.ledger()).filter((entry) => entry.kind === 'commit.seen');
  assert.equal(seen.length, 3);
  assert.deepEqual((await pollService(deps, 'shop')).recorded, []);
});

test('commits come in pages, the latest first, with their releases', async () => {
  const page = (query: Record<string, string>) =>
    callRoute(routes, 'listCommits', { params: { service: 'shop' }, query }) as Promise<{
      commits: { sha: string; message: string; release: { number: number } | null }[];
    }>;
  const all = (await page({})).commits;
  assert.deepEqual(
    all.map((commit) => commit.message),
    ['Third', 'Second\n\nbody', 'A change'],
  );
  assert.deepEqual(
    all.map((commit) => commit.release?.number ?? null),
    [2, null, 1],
  );
  const two = (await page({ limit: '2' })).commits;
  const rest = (await page({ limit: '2', before: two[1]?.sha ?? '' })).commits;
  assert.deepEqual([...two, ...rest], all);
  await assert.rejects(callRoute(routes, 'listCommits', { params: { service: 'none' } }), {
    code: 'not_found',
  });
});

test('a force push back and forth makes a release only of what never had one', async () => {
  const before = await source.releases();
  const second = repository.git('rev-parse', 'HEAD~1');
  repository.git('reset', '--quiet', '--hard', second);
  await pollService(deps, 'shop');
  assert.deepEqual(await source.releases(), [...before, second], 'skipped before, the head now');
  repository.git('reset', '--quiet', '--hard', before[0] as string);
  assert.deepEqual((await pollService(deps, 'shop')).releases, []);
});

test('a repository that cannot be read is a problem one can see, and heals', async () => {
  const hidden = `${repository.directory}.hidden`;
  renameSync(repository.directory, hidden);
  const result = await pollService(deps, 'shop');
  assert.match(result.problem ?? '', /there is no repository/);
  const shown = await callRoute(routes, 'getService', { params: { service: 'shop' } });
  assert.equal(shown.problem, result.problem);
  renameSync(hidden, repository.directory);
  await pollService(deps, 'shop');
  assert.equal((await callRoute(routes, 'getService', { params: { service: 'shop' } })).problem, null);

  repository.git('branch', '-m', 'main', 'trunk');
  assert.match((await pollService(deps, 'shop')).problem ?? '', /no branch.*main.*Branches: trunk/);
  repository.git('branch', '-m', 'trunk', 'main');
  rmSync(`${deps.git.home}/shop.git`, { recursive: true });
  assert.equal((await pollService(deps, 'shop')).problem, null, 'a lost mirror is fetched anew');
});

test('a pass waits for the one that holds the service, and then sees what it did', async () => {
  const sha = repository.commit({ 'src/race.js': '1' }, 'Race');
  let polling: ReturnType<typeof pollService> | undefined;
  await deps.database.transaction(async (tx) => {
    await tx.query("select from services where name = 'shop' for update");
    polling = pollService(deps, 'shop');
    await untilWaiting();
    await tx.query(
      `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
       values ('shop', $1, '{}', 'a', 'a', now(), 'm', 'none', 'r', now())`,
      [sha],
    );
    await deps.createRelease(tx, { service: 'shop', sha, actor: 'other', atMs: deps.clock.nowMs() });
  });
  const result = await polling;
  assert.deepEqual([result?.recorded, result?.releases], [[], []]);
});

/** Until some connection waits for a lock. */
async function untilWaiting(): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    const rows = await deps.database.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('nobody waited: the test shows nothing');
}

test('a failing release rolls the whole look back, and the next one makes it good', async () => {
  const sha = repository.commit({ 'src/b.js': '1' }, 'Fragile');
  const fragile = { ...deps, createRelease: () => Promise.reject(new Error('crash')) };
  await assert.rejects(pollService(fragile, 'shop'), /crash/);
  const rows = await deps.database.query('select 1 from commits where sha = $1', [sha]);
  assert.equal(rows.length, 0);
  assert.deepEqual((await pollService(deps, 'shop')).recorded, [sha]);
});

test('releases: every releases each new commit in order', async () => {
  const other = testRepository('trunk');
  other.commit(file(named('cart', '\nreleases: every')));
  await callRoute(routes, 'registerService', { body: { repository: other.directory, branch: 'trunk' } });
  await pollService(deps, 'cart');
  const shas = ['1', '2', '3'].map((text) => other.commit({ 'src/x.js': text }));
  await pollService(deps, 'cart');
  assert.deepEqual((await source.releases('cart')).slice(1), shas);
  other.remove();
});

test('a commit named by a person is recorded, by tag, branch or hash', async () => {
  repository.git('checkout', '--quiet', '-b', 'hotfix', 'HEAD~1');
  const fix = repository.commit({ 'src/fix.js': '1' }, 'Hot fix');
  repository.git('tag', 'v1.0.1');
  repository.git('checkout', '--quiet', 'main');
  assert.equal(await ensureCommit(deps, 'shop', 'v1.0.1'), fix);
  assert.equal(await ensureCommit(deps, 'shop', 'hotfix'), fix);
  assert.equal(await ensureCommit(deps, 'shop', fix.slice(0, 12)), fix);
  assert.equal(await ensureCommit(deps, 'shop', fix), fix);
  await assert.rejects(ensureCommit(deps, 'shop', 'nope'), { code: 'commit_not_found' });
  await assert.rejects(ensureCommit(deps, 'shop', '--all'), { code: 'invalid_input' });
});

test('what keeps a service from being registered is said with file, line and column', async () => {
  const broken = testRepository();
  broken.commit({ 'README.md': 'nothing here' });
  const body = { repository: broken.url };
  await assert.rejects(callRoute(routes, 'registerService', { body }), {
    code: 'invalid_config',
    hint: /slipway init/,
  });
  broken.commit(file(SERVICE_YAML.replace('entrypoint:', 'entrpoint:')));
  await assert.rejects(callRoute(routes, 'registerService', { body }), (error) => {
    assert.ok(isSlipwayError(error));
    assert.equal(error.code, 'invalid_config');
    const unknown = error.diagnostics.find((one) => one.message.includes('entrpoint'));
    assert.deepEqual(unknown?.position, { file: 'slipway.yaml', line: 8, column: 5 });
    assert.match(unknown?.hint ?? '', /entrypoint/);
    return true;
  });
  broken.commit(file(SERVICE_YAML));
  await assert.rejects(callRoute(routes, 'registerService', { body }), { code: 'invalid_state' });
  const misnamed = callRoute(routes, 'registerService', { body: { ...body, name: 'store' } });
  await assert.rejects(
    misnamed,
    (error) => isSlipwayError(error) && error.diagnostics[0]?.position?.line === 3,
  );
  broken.commit(file(named('other', '\nrun: { strategy: { prod: canary-standart } }')));
  await assert.rejects(
    callRoute(routes, 'registerService', { body }),
    (error) => isSlipwayError(error) && /canary-standard/.test(error.diagnostics[0]?.hint ?? ''),
  );
  await assert.rejects(callRoute(routes, 'registerService', { body: { repository: '/nowhere' } }), {
    code: 'source_unreachable',
  });
  await assert.rejects(callRoute(routes, 'registerService', { body: { repository: 'ext::sh' } }), {
    code: 'invalid_input',
  });
  broken.remove();
});
