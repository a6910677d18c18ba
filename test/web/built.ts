import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const WEB = fileURLToPath(new URL('../../web/', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));
const STAMP = join(CACHE, 'slipway-web.stamp');
const LOCK = join(CACHE, 'slipway-web.lock');
const DEADLINE_MS = 120_000;

/** The UI as its sources are now: built when they changed since the last build, by one test process for all. */
export async function ensureBuilt(): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    if (await isFresh()) return;
    if (await lock()) break;
    if (Date.now() > deadline) await rm(LOCK, { recursive: true, force: true });
    await sleep(100);
  }
  try {
    if (await isFresh()) return;
    await build({ configFile: join(WEB, 'vite.config.ts'), logLevel: 'error' });
    await writeFile(STAMP, await fingerprint());
  } finally {
    await rm(LOCK, { recursive: true, force: true });
  }
}

async function lock(): Promise<boolean> {
  return mkdir(LOCK).then(
    () => true,
    () => false,
  );
}

async function isFresh(): Promise<boolean> {
  if (!existsSync(join(WEB, 'dist/index.html'))) return false;
  const stamp = await readFile(STAMP, 'utf8').catch(() => '');
  return stamp === (await fingerprint());
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  for (const part of ['src', 'public', 'index.html', 'vite.config.ts']) {
    const files = part.includes('.') ? [part] : await readdir(join(WEB, part), { recursive: true });
    for (const name of files.sort()) {
      const path = part.includes('.') ? join(WEB, name) : join(WEB, part, name);
      const bytes = await readFile(path).catch(() => null);
      if (bytes !== null) hash.update(name).update(bytes);
    }
  }
  const index = await readFile(join(WEB, 'dist/index.html'), 'utf8').catch(() => '');
  // A build by hand in between has other names: it is as good, but not the one stamped.
  return hash.update(index).digest('hex');
}
