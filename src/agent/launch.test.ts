import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { launch } from './launch.ts';
import { allPids, environmentOf, readStat } from './processes.ts';
import { noSandbox } from './sandbox.ts';
import { until } from './testing/host.ts';

const directory = mkdtempSync(join(tmpdir(), 'slipway-launch-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const MARKER = 'LAUNCH_TEST_DIRECTORY';
const program = { program: '/bin/sh', workdir: directory, hostRuntime: true };
const options = (name: string, script: string, env: Record<string, string> = {}) => ({
  command: { ...program, args: ['-c', script], env },
  markers: { [MARKER]: directory },
  logPath: join(directory, `${name}.log`),
  openFiles: null,
  sandbox: noSandbox,
  scratch: directory,
});

const living = () =>
  allPids().filter((pid) => environmentOf(pid, MARKER) === directory && readStat(pid)?.state !== 'Z');

test('the pid that is recorded is the pid of the program, leader of its session', async () => {
  const gated = await launch(options('same', 'echo $$; read -r _ < /proc/self/stat; sleep 0.2'));
  await gated.go();
  await until(
    'it wrote its pid',
    () =>
      existsSync(join(directory, 'same.log')) &&
      readFileSync(join(directory, 'same.log'), 'utf8').includes('\n'),
  );
  assert.equal(readFileSync(join(directory, 'same.log'), 'utf8').trim(), String(gated.pid));
  assert.equal(readStat(gated.pid)?.session, gated.pid);
  assert.equal(readStat(gated.pid)?.startTicks, gated.startTicks);
  await until('it ended', () => living().length === 0);
});

test('nothing of the image runs before the gate opens, nor when the agent dies before', async () => {
  const gated = await launch(options('abandoned', 'echo ran > ran-abandoned'));
  await delay(150);
  assert.equal(existsSync(join(directory, 'ran-abandoned')), false);
  gated.abandon();
  await until('the launcher ended', () => living().length === 0);
  assert.equal(existsSync(join(directory, 'ran-abandoned')), false);
});

test('an agent killed between the launch and the record leaves nothing that ran or runs', async () => {
  mkdirSync(join(directory, 'killed'), { recursive: true });
  const agent = `
    import { launch } from ${JSON.stringify(join(import.meta.dirname, 'launch.ts'))};
    import { noSandbox } from ${JSON.stringify(join(import.meta.dirname, 'sandbox.ts'))};
    const options = JSON.parse(process.argv[1]);
    await launch({ ...options, sandbox: noSandbox });
    process.kill(process.pid, 'SIGKILL');`;
  for (let round = 0; round < 5; round++) {
    const { sandbox: _, ...plain } = options('killed', 'echo ran > ran-killed');
    const child = spawn(process.execPath, ['--input-type=module', '-e', agent, JSON.stringify(plain)], {
      stdio: 'inherit',
    });
    const signal = await new Promise((resolve) => child.once('exit', (_code, how) => resolve(how)));
    assert.equal(signal, 'SIGKILL');
    await until('the launcher ended', () => living().length === 0);
  }
  assert.equal(existsSync(join(directory, 'ran-killed')), false);
});

test('values of any kind reach the program unharmed', async () => {
  const value = `quote ' double " dollar $HOME back \`id\` slash \\ newline\nend #slipway-go`;
  const gated = await launch(
    options('values', 'printf %s "$ODD" > odd; printf %s "$TMPDIR" > tmp', { ODD: value }),
  );
  await gated.go();
  await until('it ended', () => living().length === 0);
  assert.equal(readFileSync(join(directory, 'odd'), 'utf8'), value);
  assert.equal(readFileSync(join(directory, 'tmp'), 'utf8'), directory);
});
