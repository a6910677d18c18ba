import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fakeServer, sendJson } from './fake-server.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

function start(
  words: readonly string[],
  env: Record<string, string>,
  stdio: ('pipe' | number)[] = ['pipe', 'pipe', 'pipe'],
): ChildProcess {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SLIPWAY_')),
  );
  return spawn(process.execPath, [MAIN, ...words], { env: { ...clean, ...env }, stdio });
}

test('the program: result on stdout, complaints on stderr, exit codes', () => {
  const version = spawnSync(process.execPath, [MAIN, 'version'], { encoding: 'utf8' });
  assert.equal(version.status, 0);
  assert.match(version.stdout, /^slipway \d+\.\d+\.\d+\n$/);
  assert.equal(version.stderr, '');
  const typo = spawnSync(process.execPath, [MAIN, 'verison'], { encoding: 'utf8' });
  assert.equal(typo.status, 2);
  assert.equal(typo.stdout, '');
  assert.match(typo.stderr, /did you mean slipway version/);
});

test('a reader that goes away ends it quietly; a full disk is an error', async () => {
  const pages = {
    size: 1,
    entries: Array.from({ length: 1_000 }, (_, index) => ({
      index,
      kind: 'k',
      at: '2026-01-01T00:00:00Z',
      actor: 'a'.repeat(500),
      service: null,
      environment: null,
      subject: 's',
      leafHash: '',
      body: null,
    })),
  };
  const server = await fakeServer((_, response) => sendJson(response, pages));
  const env = { SLIPWAY_URL: server.url };
  const child = start(['ledger', 'log', '--json'], env);
  child.stdout?.destroy();
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  assert.doesNotMatch(err, /EPIPE|at /);
  if (existsSync('/dev/full')) {
    const full = openSync('/dev/full', 'w');
    const [failed] = (await once(start(['version'], env, ['pipe', full, 'pipe']), 'close')) as [number];
    closeSync(full);
    assert.equal(failed, 1);
  }
  await server.stop();
});

test('"up" interrupted while it starts: 130, and nothing of it is left', async () => {
  const home = await mkdtemp(join(tmpdir(), 'slipway-interrupt-'));
  const data = join(home, 'data');
  const child = start(['up', '--data', data], {});
  let err = '';
  await new Promise<void>((resolve) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      if (err.includes('preparing the database')) resolve();
    });
  });
  child.kill('SIGINT');
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 130, err);
  assert.match(err, /interrupted while starting; what was started is stopped\n$/);
  const left = spawnSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.includes(data));
  assert.deepEqual(left, []);
  assert.equal(await readFile(join(data, 'run', 'up.pid'), 'utf8').catch(() => null), null);
  await rm(home, { recursive: true, force: true });
});
