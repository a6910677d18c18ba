import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { createRouterClient, type RouterClient } from '../platform/router-client.ts';
import { instance, rawClient, rawExchange, TestBench, TOKEN, until } from './testing.ts';

/** The router as a process: what a signal and a kill leave behind. */
const bench = new TestBench();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

after(() => bench.close());

async function startProcess(): Promise<{ child: ChildProcess; client: RouterClient }> {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const source = `
    import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
    import { startRouter, stopOnSignals } from ${url('./main.ts')};
    import { systemClock } from ${url('../platform/clock.ts')};
    const log = pino({ level: 'silent' });
    const router = await startRouter({ dataDirectory: ${JSON.stringify(bench.directory)}, clock: systemClock, log,
      control: { host: '127.0.0.1', port: 0 }, token: ${JSON.stringify(TOKEN)} });
    stopOnSignals(router, log);
    console.log(router.controlPort);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  bench.onClose(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  const client = createRouterClient({ url: `http://127.0.0.1:${Number(line.toString())}`, token: TOKEN });
  return { child, client };
}

test('kill -9 and restart: the route serves again without the control plane; SIGTERM finishes what is under way', async () => {
  await bench.start();
  await bench.router.close();
  let release: (() => void) | null = null;
  const backend = await bench.backend((req, res) => {
    if (req.url === '/slow') release = () => res.end('finished');
    else res.end('ok');
  });
  const first = await startProcess();
  const route = bench.route([instance('one', backend.port)]);
  const port = (await first.client.apply(route)).listening!.port;
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const second = await startProcess();
  assert.match(await rawExchange(port, GET), /\r\n\r\nok$/);
  await assert.rejects(second.client.apply({ ...route, backends: [] }), { code: 'stale_fence' });

  const client = await rawClient(port);
  client.socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  const finish = await until('it is in flight', () => release);
  assert.equal((await second.client.get('shop/prod'))?.inFlight.one, 1);
  const exit = once(second.child, 'exit');
  second.child.kill('SIGTERM');
  await until('it accepts no more', () =>
    rawExchange(port, GET).then(
      () => false,
      () => true,
    ),
  );
  finish();
  await client.closed;
  assert.match(client.text(), /Connection: close\r\n[\s\S]*finished$/);
  assert.deepEqual(await exit, [0, null]);
});
