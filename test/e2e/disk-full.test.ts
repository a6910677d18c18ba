import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { sha256 } from '../../src/kernel/digest.ts';
import { registryOf } from './harness/images.ts';
import { createInstallation, type Installation } from './harness/installation.ts';
import { assertSound } from './harness/laws.ts';
import { startLoad } from './harness/load.ts';
import type { ScratchService } from './harness/service.ts';
import { until } from './harness/until.ts';
import { arrived, laneUrl, prepare, readRelease, release } from './harness/work.ts';

const run = promisify(execFile);
const DISK = '320m';
const MEBIBYTE = 1_048_576;

let installation: Installation;
let app: ScratchService;
let mounted: string | null = null;

/** A disk of its own for the data directory; root is needed to mount it, and a user namespace where we are not root. */
async function smallDisk(root: string): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=0700`, 'slipway-e2e', root]);
  mounted = root;
}

before(async () => {
  installation = await createInstallation(smallDisk);
  await installation.start();
  const { service, first } = await prepare(installation);
  app = service;
  await arrived(installation, await release(installation, 'app', first));
});
after(async () => {
  const root = mounted;
  await installation?.close(async () => {
    if (root !== null) await run('umount', [root]);
  });
});

/** Fills what is left, but for `leftBytes`. Gives the way to free it. */
async function fill(leftBytes: number): Promise<() => Promise<void>> {
  const path = join(installation.root, 'ballast');
  const file = await open(path, 'w');
  let written = 0;
  for (let size = MEBIBYTE; size >= 4_096; ) {
    try {
      await file.write(Buffer.alloc(size));
      written += size;
    } catch {
      size /= 2;
    }
  }
  await file.truncate(Math.max(0, written - leftBytes));
  await file.close();
  return () => rm(path);
}

test('a disk with no room for an image: the push is refused with 507, the release waits with the reason, then arrives', async (t) => {
  const load = startLoad(await laneUrl(installation, 'app'), 50);
  t.after(() => load.stop());
  const { sha } = await app.commit({ files: { 'server.mjs': await bigServer() } });
  // The worker sleeps until the commit is fetched and the disk is full: what then fails is the build.
  const worker = installation.pid('worker');
  process.kill(worker, 'SIGSTOP');
  const id = await release(installation, 'app', sha);
  const empty = await fill(3 * MEBIBYTE);
  process.kill(worker, 'SIGCONT');
  const bytes = randomBytes(6 * MEBIBYTE);
  await assert.rejects(registryOf(installation).putBlob('app', sha256(bytes), bytes), { code: 'disk_full' });
  await until(
    'the release says that the disk is full',
    async () => {
      const { status, problem } = await readRelease(installation, id);
      assert.match(problem ?? status, /disk/);
      assert.notEqual(status, 'failed');
      return true;
    },
    20_000,
  );
  await empty();
  await arrived(installation, id);
  assert.deepEqual((await load.stop()).losses, [], 'the running version never noticed');
  await assertSound(installation);
});

test('a disk without a byte left: what cannot be kept is refused with a reason, what was acknowledged is there afterwards', async (t) => {
  const load = startLoad(await laneUrl(installation, 'app'), 50);
  t.after(() => load.stop());
  const empty = await fill(0);
  const kept: string[] = [];
  const refused: string[] = [];
  for (let n = 0; n < 40; n++) {
    const reason = 'x'.repeat(900);
    const { status, body } = await installation
      .api()
      .call('POST', '/v1/tokens', { name: `full-${n}-${reason.slice(0, 80)}` });
    if (status === 201) kept.push(String(body.id));
    else refused.push(`${status} ${body.code}`);
  }
  for (const answer of refused) assert.match(answer, /^(507 disk_full|502 unreachable|0 undefined)$/);
  await empty();
  await until(
    'it takes writes again',
    async () => (await installation.api().call('POST', '/v1/tokens', { name: 'afterwards' })).status === 201,
    30_000,
  );
  const rows = await installation.database().query<{ id: string }>('select id from tokens');
  for (const id of kept)
    assert.ok(
      rows.some((row) => row.id === id),
      `${id} was acknowledged`,
    );
  const { sha } = await app.commit();
  await arrived(installation, await release(installation, 'app', sha));
  assert.deepEqual((await load.stop()).losses, [], 'the running version never noticed');
  await assertSound(installation);
  console.log(
    `with no byte left: ${kept.length} writes kept, ${refused.length} refused (${[...new Set(refused)].join(', ')})`,
  );
});

/** A service whose image does not fit: its file does not compress. */
async function bigServer(): Promise<string> {
  const noise = randomBytes(6 * MEBIBYTE).toString('base64');
  return `import { createServer } from 'node:http';
const server = createServer((_, response) => response.setHeader('x-version', 'big').end('big'));
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
// ${noise}
`;
}
