import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interrupted } from '../../src/cli/errors.ts';
import { runCli } from '../../src/cli/main.ts';
import { createIo, type TestIo } from './io.ts';
import { fakeLocal } from './local.ts';

const TOKEN = 'slp_secret';

async function runUp(
  io: TestIo,
  words: readonly string[] = ['up'],
): Promise<{ code: number; stopped: number }> {
  let stopped = 0;
  const { local } = fakeLocal(
    { url: 'http://127.0.0.1:4510', token: TOKEN },
    {
      async up({ progress, port }) {
        progress('starting PostgreSQL');
        return { url: `http://127.0.0.1:${port || 4510}`, stop: async () => void stopped++ };
      },
    },
  );
  const running = runCli(words, { local }, io);
  setTimeout(() => io.interrupt(new Interrupted('interrupted')), 100);
  return { code: await running, stopped };
}

test('"up" says where it is; the token is for a terminal only', async () => {
  const pipe = createIo();
  assert.deepEqual(await runUp(pipe), { code: 0, stopped: 1 });
  assert.equal(pipe.out(), 'http://127.0.0.1:4510\n');
  assert.equal(pipe.err(), 'starting PostgreSQL\n');
  const terminal = createIo({ stdoutIsTTY: true, env: { NO_COLOR: '1' } });
  await runUp(terminal);
  assert.match(terminal.out(), /^Sign in: +http:\/\/127\.0\.0\.1:4510\/login#slp_secret$/m);
  const json = createIo();
  await runUp(json, ['up', '--json=url', '--port', '7']);
  assert.deepEqual(JSON.parse(json.out()), { url: 'http://127.0.0.1:7' });
  assert.ok(!json.out().includes(TOKEN) && !pipe.out().includes(TOKEN));
});

test('"up" takes no port that is none', async () => {
  for (const port of ['x', '70000', '-1']) {
    const io = createIo();
    assert.equal(await runCli(['up', `--port=${port}`], fakeLocal(null), io), 2);
    assert.match(io.err(), /--port takes a number/);
  }
});
