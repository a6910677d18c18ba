import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Runtime } from '../../src/platform/data-directory.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND_TIMEOUT_MS = 240_000;
const UP_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 12_000;
const run = promisify(execFile);

/** What somebody else's machine gives: nothing of ours; how npm reaches its registry and cache is theirs. */
function environment(): NodeJS.ProcessEnv {
  const reach =
    /^(npm_config_(?!local_prefix|prefix)|https?_proxy$|no_proxy$|node_extra_ca_certs$|home$|tmpdir$)/i;
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => reach.test(name))),
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    npm_config_update_notifier: 'false',
    NO_COLOR: '1',
  };
}

describe('the package', () => {
  let home: string;
  let project: string;
  let slipway: string;
  let packed: readonly string[];

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'slipway-package-'));
    project = join(home, 'project');
    await mkdir(project);
    const { stdout } = await npm(ROOT, 'pack', '--json', '--pack-destination', home);
    const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [
      { filename: string; files: { path: string }[] },
    ];
    packed = files.map(({ path }) => path);
    await writeProject(project, `file:${join(home, filename)}`);
    await npm(project, 'ci', '--prefer-offline', '--no-audit', '--no-fund');
    slipway = join(project, 'node_modules/.bin/slipway');
  });
  after(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));

  function npm(cwd: string, ...args: string[]) {
    return run('npm', args, {
      cwd,
      env: environment(),
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: 64 * 1_048_576,
    });
  }

  test('holds the program, its migrations, schemas, examples and papers, and no test', () => {
    for (const path of [
      'dist/src/main.js',
      'dist/migrations/0001_foundation.sql',
      'dist/web/dist/index.html',
      'schemas/service.schema.json',
      'schemas/openapi.json',
      'README.md',
      'LICENSE',
      'SECURITY.md',
      'CHANGELOG.md',
    ])
      assert.ok(packed.includes(path), `${path} is packed`);
    const stray = packed.filter((path) => /\.test\.|testing|\.slipway|\.ts$|^src\//.test(path));
    assert.deepEqual(
      stray.filter((path) => !path.startsWith('examples/')),
      [],
    );
  });

  test('the command is there, says how to use it and which version it is', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    assert.notEqual((await stat(slipway)).mode & 0o100, 0);
    const help = await run(slipway, ['--help'], { cwd: project, env: environment() });
    assert.match(help.stdout, /slipway/i);
    assert.match(help.stdout, /\bup\b/);
    const said = await run(slipway, ['version'], { cwd: project, env: environment() });
    assert.match(said.stdout, new RegExp(version.replaceAll('.', '\\.')));
  });

  test('`slipway up` starts everything, serves the web UI, and stops without a trace', async () => {
    const data = join(home, 'data');
    const child = spawn(slipway, ['up', '--data', data], { cwd: project, env: environment(), stdio: 'pipe' });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    try {
      const url = await address(
        data,
        () => child.exitCode === null,
        () => said,
      );
      assert.equal(((await (await fetch(`${url}/v1/health`)).json()) as { status: string }).status, 'ok');
      assert.match(await (await fetch(url)).text(), /<script type="module"/);
      const token = (await readFile(join(data, 'run/admin-token'), 'utf8')).trim();
      const answer = await fetch(`${url}/v1/services`, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(answer.status, 200);
    } finally {
      child.kill('SIGINT');
    }
    const askedAtMs = performance.now();
    assert.deepEqual(await exited, [0, null], said);
    const stopMs = performance.now() - askedAtMs;
    assert.ok(stopMs < STOP_DEADLINE_MS, `nothing was under way, and stopping took ${Math.round(stopMs)} ms`);
    assert.deepEqual(processesOf(data), []);
    assert.ok(existsSync(join(data, 'postgres')), 'data stays');
  });
});

interface Lock {
  lockfileVersion: number;
  packages: Record<string, { dev?: boolean; [member: string]: unknown }>;
}

/**
 * A project that depends on the tarball and nothing else, locked to the versions of our own lockfile: npm has those in its
 * cache since it installed them here, so that nothing has to be fetched.
 */
async function writeProject(project: string, tarball: string): Promise<void> {
  const root = { name: 'somebody', version: '1.0.0', private: true, dependencies: { slipway: tarball } };
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  const { version, dependencies, bin, engines } = lock.packages[''] ?? {};
  const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && !dev);
  const packages = {
    '': root,
    'node_modules/slipway': { version, resolved: tarball, dependencies, bin, engines },
    ...Object.fromEntries(shipped),
  };
  await writeFile(join(project, 'package.json'), JSON.stringify(root));
  await writeFile(
    join(project, 'package-lock.json'),
    JSON.stringify({ ...root, lockfileVersion: lock.lockfileVersion, requires: true, packages }),
  );
}

async function address(data: string, alive: () => boolean, said: () => string): Promise<string> {
  for (const started = Date.now(); Date.now() - started < UP_DEADLINE_MS; await pause(100)) {
    assert.ok(alive(), `slipway up ended:\n${said()}`);
    const text = await readFile(join(data, 'run/runtime.json'), 'utf8').catch(() => null);
    if (text === null) continue;
    const { server } = JSON.parse(text) as Runtime;
    const url = `http://127.0.0.1:${server.port}`;
    const healthy = await fetch(`${url}/v1/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    // The address is said when everything is up, router and host agent included.
    if (healthy && said().includes(url)) return url;
  }
  throw new Error(`slipway up did not become healthy:\n${said()}`);
}

/** Command lines of processes that work in the data directory. */
function processesOf(data: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(data));
}
