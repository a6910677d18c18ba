import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const WEB = fileURLToPath(new URL('../../web/', import.meta.url));
const KERNEL = fileURLToPath(new URL('../../src/kernel/', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
const LOCK = join(CACHE, 'slipway-web.lock');
const DEADLINE_MS = 120_000;

/** The UI as its sources are now: built when one is newer than the last build, by one test process for all. */
export async function ensureBuilt(): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isFresh())) {
    if (await lock()) return buildOnce();
    // A process that died in a build left its lock.
    if (Date.now() > deadline) await rm(LOCK, { recursive: true, force: true });
    await sleep(100);
  }
}

async function buildOnce(): Promise<void> {
  try {
    if (!(await isFresh())) await build({ configFile: join(WEB, 'vite.config.ts'), logLevel: 'error' });
  } finally {
    await rm(LOCK, { recursive: true, force: true });
  }
}

function lock(): Promise<boolean> {
  return mkdir(LOCK).then(
    () => true,
    () => false,
  );
}

async function isFresh(): Promise<boolean> {
  const built = await changedAt(join(WEB, 'dist/index.html'));
  if (built === 0) return false;
  const single = [join(WEB, 'index.html'), join(WEB, 'vite.config.ts')];
  const folders = await Promise.all([join(WEB, 'src'), join(WEB, 'public'), KERNEL].map(filesBelow));
  const times = await Promise.all([...single, ...folders.flat()].map(changedAt));
  return times.every((time) => time <= built);
}

async function filesBelow(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).map((name) => join(folder, name));
}

function changedAt(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  );
}
