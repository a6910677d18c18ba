import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { commitVersion, createShopRepository, isRepository, shopVersions } from './repository.ts';
import { seededRandom } from './visitors.ts';

const directories: string[] = [];
async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'slipway-shop-'));
  directories.push(made);
  return made;
}
after(() => Promise.all(directories.map((made) => rm(made, { recursive: true, force: true }))));

const git = (cwd: string, ...args: string[]) => execFileSync('git', args, { cwd, encoding: 'utf8' }).trim();

test('the commits have the same shas wherever, however and under whatever umask they are made', async () => {
  const whole = await directory();
  const commits = await createShopRepository(whole);
  const stepwise = await directory();
  const before = process.umask(0o077);
  try {
    assert.equal(await isRepository(stepwise), false);
    const first = await createShopRepository(stepwise, { upTo: 1 });
    assert.equal(await isRepository(stepwise), true);
    const rest = [
      await commitVersion(stepwise, 2),
      await commitVersion(stepwise, 3),
      await commitVersion(stepwise, 4),
    ];
    assert.deepEqual([...first, ...rest], commits);
  } finally {
    process.umask(before);
  }
  assert.equal(git(whole, 'rev-list', '--reverse', 'main'), commits.map(({ sha }) => sha).join('\n'));
  assert.equal(git(whole, 'status', '--porcelain'), '');
});

test('each commit says its version, its author and its date, and holds nothing of the history folder', async () => {
  const made = await directory();
  for (const { sha, version, author, date, message } of await createShopRepository(made)) {
    const { version: packaged } = JSON.parse(git(made, 'show', `${sha}:package.json`)) as { version: string };
    const lock = JSON.parse(git(made, 'show', `${sha}:package-lock.json`)) as {
      version: string;
      packages: Record<string, { resolved?: string; integrity?: string; hasInstallScript?: boolean }>;
    };
    assert.deepEqual([packaged, lock.version], [version, version]);
    for (const [path, entry] of Object.entries(lock.packages)) {
      assert.equal(entry.resolved, undefined, 'the lockfile names no registry host');
      assert.equal(entry.hasInstallScript, undefined);
      if (path !== '') assert.match(entry.integrity ?? '', /^sha512-/);
    }
    assert.equal(
      git(made, 'log', '-1', '--format=%an %ae %cn %ce', sha),
      `${author.name} ${author.email} ${author.name} ${author.email}`,
    );
    const seconds = Date.parse(date) / 1000;
    assert.equal(git(made, 'log', '-1', '--format=%at %ct', sha), `${seconds} ${seconds}`);
    assert.equal(git(made, 'log', '-1', '--format=%B', sha), message.trim());
    assert.equal(git(made, 'ls-tree', '-r', '--name-only', sha, 'history', 'node_modules'), '');
  }
});

test('a version that does not follow is refused', async () => {
  const made = await directory();
  await createShopRepository(made, { upTo: 1 });
  await assert.rejects(commitVersion(made, 3), /v3 follows v2/);
  await assert.rejects(commitVersion(made, 9), /no v9/);
});

interface Reservations {
  reserve(number: string, lines: { productId: string; quantity: number }[]): Promise<void>;
}

/** Share of `orders` with random numbers that version `n` refuses, with stock in plenty. */
async function refused(n: number, orders: number, random: () => number): Promise<number> {
  const made = await directory();
  await createShopRepository(made, { upTo: n });
  const { createReservations } = (await import(pathToFileURL(join(made, 'src/reservations.js')).href)) as {
    createReservations(deps: object): Reservations;
  };
  const byId = new Map([['a', { id: 'a', stock: 1_000 }]]);
  const reservations = createReservations({ byId, settle: async () => {}, status: async () => 'authorized' });
  let failures = 0;
  for (let i = 0; i < orders; i++) {
    const number = Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join('');
    await reservations.reserve(number, [{ productId: 'a', quantity: 1 }]).catch(() => failures++);
  }
  return failures / orders;
}

test('v3 fails about one checkout in fifty under load, v2 and v4 none', async () => {
  const share = await refused(3, 20_000, seededRandom(1));
  assert.ok(share > 0.015 && share < 0.03, `${share}`);
  assert.equal(await refused(2, 20_000, seededRandom(1)), 0);
  assert.equal(await refused(4, 20_000, seededRandom(1)), 0);
});

test('the history is v1 to v4', async () => {
  assert.deepEqual(
    (await shopVersions()).map(({ n }) => n),
    [1, 2, 3, 4],
  );
  const source = await readFile(
    new URL('../../../examples/shop/history/v3/tree/src/reservations.js', import.meta.url),
    'utf8',
  );
  assert.doesNotMatch(source, /Math\.random|rps|NODE_ENV/);
});
