import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SandboxCommand } from './command.ts';
import { detectSandbox } from './detect.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { CommandResult } from './run.ts';
import type { Sandbox, SandboxKind, SandboxRun } from './sandbox.ts';
import { findToolchain } from './toolchain.ts';
import { listProcesses, processesIn } from './tree.ts';

/** A data directory as the worker has it: keys, and the step's place below work/. */
let data: string;

before(async () => {
  data = await mkdtemp(join(tmpdir(), 'slipway-sandbox-'));
  await mkdir(join(data, 'keys'));
  await writeFile(join(data, 'keys/signing.key'), 'PRIVATE-KEY-BYTES');
  process.env.SECRET_OF_THE_WORKER = 'postgres://user:PASSWORD-OF-THE-WORKER@localhost/';
});

after(async () => {
  delete process.env.SECRET_OF_THE_WORKER;
  await rm(data, { recursive: true, force: true });
});

/** A worker that runs one endless command in the sandbox and says when it has started. */
const WORKER = `
  import { chownSync, mkdirSync } from 'node:fs';
  import { detectSandbox } from '${new URL('./detect.ts', import.meta.url)}';
  import { DEFAULT_LIMITS } from '${new URL('./limits.ts', import.meta.url)}';
  import { findToolchain } from '${new URL('./toolchain.ts', import.meta.url)}';
  const [kind, home] = process.argv.slice(1);
  const sandbox = await detectSandbox({ toolchain: findToolchain(process.env.PATH), hidden: [] }, [kind]);
  for (const name of ['source', 'scratch', 'scratch/home', 'scratch/tmp']) {
    mkdirSync(home + '/' + name);
    if (sandbox.owner) chownSync(home + '/' + name, sandbox.owner.uid, sandbox.owner.gid);
  }
  await sandbox.run({
    command: 'echo ready; while :; do sleep 0.05; done', env: {}, source: { host: home + '/source', inside: '/build/source' },
    scratch: home + '/scratch', homeInside: '/home/build', mounts: [], network: false, hostname: 'build', umask: '022',
    cpus: null, limits: DEFAULT_LIMITS,
  }, { timeoutMs: 60000, onOutput: (chunk) => process.stdout.write(chunk) });
`;

async function runStep(
  sandbox: Sandbox,
  change: Partial<SandboxCommand>,
  options: Partial<SandboxRun> = {},
): Promise<CommandResult & { output: string; source: string }> {
  const home = await mkdtemp(join(data, 'work-'));
  const source = join(home, 'source');
  const scratch = join(home, 'scratch');
  for (const path of [source, scratch, join(scratch, 'home'), join(scratch, 'tmp')]) {
    await mkdir(path);
    if (sandbox.owner) await chown(path, sandbox.owner.uid, sandbox.owner.gid);
  }
  let output = '';
  const result = await sandbox.run(
    {
      command: 'true',
      env: { LANG: 'C.UTF-8' },
      source: { host: source, inside: '/build/source' },
      scratch,
      homeInside: '/home/build',
      mounts: [],
      network: false,
      hostname: 'build',
      umask: '022',
      cpus: null,
      limits: DEFAULT_LIMITS,
      ...change,
    },
    {
      timeoutMs: 20_000,
      graceMs: 300,
      ...options,
      onOutput(chunk) {
        output += chunk.toString();
        return options.onOutput?.(chunk);
      },
    },
  );
  assert.deepEqual(processesIn(source), [], 'a process survived');
  return { ...result, output, source };
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

for (const kind of ['bubblewrap', 'unshare', 'scrubbed'] as const satisfies SandboxKind[]) {
  describe(kind, () => {
    let sandbox: Sandbox;
    before(async () => {
      sandbox = await detectSandbox({ toolchain: findToolchain(process.env.PATH ?? ''), hidden: [data] }, [
        kind,
      ]);
    });

    test('is what this machine offers', () => assert.equal(sandbox.kind, kind));

    test('the environment holds the declared variables and nothing of the worker', async () => {
      const { output, exitCode } = await runStep(sandbox, {
        command: 'env',
        env: { LANG: 'C.UTF-8', CI: 'true' },
      });
      assert.equal(exitCode, 0, output);
      const names = output.split('\n').map((line) => line.split('=')[0] ?? '');
      assert.deepEqual(names.filter((name) => !['', '_', 'PWD', 'OLDPWD', 'SHLVL'].includes(name)).sort(), [
        'CI',
        'HOME',
        'LANG',
        'PATH',
        'TMPDIR',
      ]);
      assert.ok(!output.includes('PASSWORD-OF-THE-WORKER'));
    });

    test('node and npm run, files get umask 022, output keeps its order', async () => {
      const command =
        'echo one; echo two >&2; echo three; node -p 40+2; npm --version; touch made; mkdir made.d; echo hi > $HOME/x; echo hi > $TMPDIR/x';
      const { output, exitCode, source } = await runStep(sandbox, { command });
      assert.equal(exitCode, 0, output);
      assert.match(output, /^one\ntwo\nthree\n42\n\d+\./);
      assert.equal((await stat(join(source, 'made'))).mode & 0o777, 0o644);
      assert.equal((await stat(join(source, 'made.d'))).mode & 0o777, 0o755);
    });

    test('a failing command gives its exit code, a missing one 127', async () => {
      assert.equal((await runStep(sandbox, { command: 'false; echo never' })).exitCode, 1);
      assert.equal((await runStep(sandbox, { command: 'exit 42' })).exitCode, 42);
      assert.equal((await runStep(sandbox, { command: 'no-such-program' })).exitCode, 127);
    });

    test('a timeout ends everything, background processes too', async () => {
      const { end, durationMs } = await runStep(
        sandbox,
        { command: "trap '' TERM; sleep 300 & setsid sleep 300 & (trap '' TERM; sleep 300)" },
        { timeoutMs: 600 },
      );
      assert.equal(end, 'timed-out');
      assert.ok(durationMs < 10_000, `${durationMs}`);
    });

    test('what a command leaves running ends with it, wherever it went', async () => {
      const token = `300.${process.pid}${Date.now()}`;
      const { end, exitCode, durationMs } = await runStep(sandbox, {
        command: `setsid sleep 300 & (cd / && exec sleep ${token}) & sleep 300 & echo started`,
      });
      assert.equal(end, 'exited');
      assert.equal(exitCode, 0);
      assert.ok(durationMs < 10_000);
      const deadline = Date.now() + 2_000;
      const left = () => listProcesses().filter(({ pid }) => commandLine(pid).includes(token));
      while (left().length > 0) {
        assert.ok(Date.now() < deadline, 'a process survived');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });

    test('cancelling lets the command tidy up', async () => {
      const abort = new AbortController();
      const { end, source } = await runStep(
        sandbox,
        {
          command:
            'sh -c \'trap "echo tidy > tidied; exit 0" TERM; echo ready; while :; do sleep 0.05; done\'; echo after',
        },
        {
          signal: abort.signal,
          graceMs: 3_000,
          onOutput: (chunk) => {
            if (chunk.includes('ready')) abort.abort();
          },
        },
      );
      assert.equal(end, 'cancelled');
      assert.equal(await readFile(join(source, 'tidied'), 'utf8'), 'tidy\n');
    });

    test('a full pipe waits for a slow reader, and nothing is lost', async () => {
      let bytes = 0;
      const { exitCode } = await runStep(
        sandbox,
        { command: 'head -c 3000000 /dev/zero' },
        {
          onOutput: async (chunk) => {
            bytes += chunk.length;
            await new Promise((resolve) => setTimeout(resolve, 2));
          },
        },
      );
      assert.equal(exitCode, 0);
      assert.equal(bytes, 3_000_000);
    });

    test('a reader that fails ends the command and the failure comes out', async () => {
      await assert.rejects(
        runStep(
          sandbox,
          { command: 'while :; do echo x; sleep 0.01; done' },
          {
            onOutput: () => {
              throw new Error('the log cannot be written');
            },
          },
        ),
        /the log cannot be written/,
      );
    });

    test('a killed worker takes its commands with it', async () => {
      const home = await mkdtemp(join(data, 'killed-'));
      await chmod(home, 0o777);
      const worker = spawn(process.execPath, ['--input-type=module', '-e', WORKER, kind, home], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(worker.stdout, 'data')) as [Buffer];
      assert.match(line.toString(), /ready/);
      assert.ok(processesIn(home).length > 0);
      worker.kill('SIGKILL');
      const deadline = Date.now() + 5_000;
      while (processesIn(home).length > 0) {
        assert.ok(Date.now() < deadline, `${processesIn(home)} survived`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });

    if (kind === 'scrubbed') return;

    test('there is no network, nor the services of this machine', async () => {
      const server = createServer((_, response) => response.end('control plane')).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      const command = `node -e 'fetch("http://127.0.0.1:${port}/").then(() => console.log("REACHED"), (e) => console.log(e.cause.code))'`;
      const closed = await runStep(sandbox, { command });
      const open = await runStep(sandbox, { command, network: true });
      server.close();
      assert.match(closed.output, /^E/);
      assert.match(open.output, /REACHED/);
    });

    test('keys, other processes and the worker stay invisible', async () => {
      const command = [
        `cat ${data}/keys/signing.key || echo no key`,
        `ls -R ${data} || echo no data`,
        'for p in /proc/[0-9]*; do tr "\\0" "\\n" < $p/environ || :; tr "\\0" " " < $p/cmdline || :; done',
        'ls /root /home || :',
        'cat /etc/shadow || echo no shadow',
        'id -u',
      ].join('\n');
      const { output } = await runStep(sandbox, { command });
      assert.ok(!output.includes('PRIVATE-KEY-BYTES'));
      assert.ok(!output.includes('signing.key\n'), output);
      assert.ok(!output.includes('PASSWORD-OF-THE-WORKER'));
      assert.match(output, /no shadow/);
      assert.doesNotMatch(output, /^0$/m);
    });

    test('the kernel cannot be reconfigured, the system not written', async () => {
      const command = [
        'v=$(cat /proc/sys/kernel/core_pattern); (echo "$v" > /proc/sys/kernel/core_pattern) && echo ESCAPED || :',
        '(touch /usr/bin/evil) && echo ESCAPED || :',
        '(touch /etc/evil) && echo ESCAPED || :',
        'mount -t tmpfs none /tmp && echo ESCAPED || :',
        'kill -9 1 2>/dev/null; echo done',
      ].join('\n');
      const { output } = await runStep(sandbox, { command });
      assert.ok(!output.includes('ESCAPED'), output);
    });

    test('variables of the step never reach the wrappers outside', async () => {
      const { output, source } = await runStep(sandbox, {
        command: 'echo ran',
        env: { LD_PRELOAD: '/build/source/evil.so', LD_DEBUG: 'files', LD_DEBUG_OUTPUT: join(data, 'leak') },
      });
      assert.match(output, /ran/);
      const { readdir } = await import('node:fs/promises');
      assert.deepEqual(
        (await readdir(data)).filter((name) => name.startsWith('leak')),
        [],
      );
      assert.ok(source);
    });

    test('the number of processes and the size of a file are bounded', async () => {
      const limits = { ...DEFAULT_LIMITS, processes: 40, fileBytes: 1024 * 1024 };
      const bomb = await runStep(sandbox, {
        command: 'i=0; while [ $i -lt 200 ]; do sleep 5 & i=$((i+1)); done; echo ALL-STARTED',
        limits,
      });
      assert.ok(!bomb.output.includes('ALL-STARTED'), bomb.output);
      const big = await runStep(sandbox, { command: 'head -c 2000000 /dev/zero > big', limits });
      assert.notEqual(big.exitCode, 0);
    });

    test('a chosen umask, host name and processor hold', async () => {
      const { output } = await runStep(sandbox, {
        command: 'umask; hostname; nproc; pwd',
        umask: '027',
        hostname: 'elsewhere',
        cpus: [0],
      });
      const lines = output.split('\n');
      assert.equal(lines[0], '0027');
      assert.equal(lines[1], 'elsewhere');
      assert.equal(lines[2], '1');
    });
  });
}

test('bubblewrap gives the same place, user and host whatever the machine calls them', async () => {
  const sandbox = await detectSandbox({ toolchain: findToolchain(process.env.PATH ?? ''), hidden: [] }, [
    'bubblewrap',
  ]);
  const { output } = await runStep(sandbox, {
    command: 'pwd; id -u; id -g; hostname; echo $HOME; which node; whoami',
  });
  assert.equal(output, '/build/source\n1000\n1000\nbuild\n/home/build\n/opt/slipway/bin/node\nbuild\n');
});

test('a directory given to a step is where its variable says', async () => {
  for (const kind of ['bubblewrap', 'unshare', 'scrubbed'] as const) {
    const sandbox = await detectSandbox(
      { toolchain: findToolchain(process.env.PATH ?? ''), hidden: [data] },
      [kind],
    );
    const cache = await mkdtemp(join(data, 'cache-'));
    if (sandbox.owner) await chown(cache, sandbox.owner.uid, sandbox.owner.gid);
    await chmod(cache, 0o755);
    const { output } = await runStep(sandbox, {
      command: 'echo kept > "$npm_config_cache/file"',
      mounts: [{ host: cache, inside: '/cache/npm', writable: true, variable: 'npm_config_cache' }],
    });
    assert.equal(await readFile(join(cache, 'file'), 'utf8'), 'kept\n', output);
  }
});
