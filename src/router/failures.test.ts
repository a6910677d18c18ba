import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { instance, rawClient, rawExchange, startLoad, TestBench, until } from './testing.ts';

/** Backends that refuse, hang, lie and die. */
let bench = new TestBench();

afterEach(async () => {
  await bench.close();
  bench = new TestBench();
});

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi';
const answer = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** A port on which nothing listens. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('no backend at all: 503 with Retry-After, counted as unrouted', async () => {
  await bench.start();
  const port = await bench.serve([]);
  const text = await rawExchange(port, GET);
  assert.match(text, /^HTTP\/1\.1 503 [\s\S]*Retry-After: 1\r\n[\s\S]*"status":503/);
  assert.equal((await bench.client.stats()).lanes[0]?.unrouted, 1);
});

test('HEAD gets the head of a refusal only', async () => {
  await bench.start();
  const port = await bench.serve([]);
  const text = await rawExchange(port, GET.replace('GET', 'HEAD'));
  assert.match(text, /^HTTP\/1\.1 503 [\s\S]*\r\n\r\n$/);
});

test('a refused connection costs no request, POST included, and is an error of that backend', async () => {
  await bench.start();
  const live = await bench.backend((req, res) => req.resume().on('end', () => res.end('ok')));
  const port = await bench.serve([instance('dead', await deadPort()), instance('live', live.port)]);
  for (let i = 0; i < 10; i++) assert.match(await rawExchange(port, i % 2 ? GET : POST), /\r\n\r\nok$/);
  const dead = await bench.counters('dead');
  assert.ok(
    dead.requests >= 1 && dead.requests < 5,
    `ejected after the first failures, got ${dead.requests}`,
  );
  assert.equal(dead.errors, dead.requests);
  assert.equal((await bench.counters('live')).requests, 10);
});

test('the only backend is never ejected: it is used as soon as it is back', async () => {
  await bench.start();
  const dead = await deadPort();
  const port = await bench.serve([instance('one', dead)]);
  assert.match(await rawExchange(port, GET), /^HTTP\/1\.1 502 /);
  await bench.backend((_req, res) => res.end('back'), dead);
  assert.match(await rawExchange(port, GET), /\r\n\r\nback$/);
});

test('a canary that is down loses no request and shows in its figures', async () => {
  await bench.start();
  const stable = await bench.backend((_req, res) => res.end('stable'));
  const port = await bench.serve([instance('s', stable.port), instance('c', await deadPort(), 'canary')], {
    weights: { stable: 50, baseline: 0, canary: 50 },
  });
  for (let i = 0; i < 20; i++) assert.match(await rawExchange(port, GET), /\r\n\r\nstable$/);
  assert.equal((await bench.counters('c')).errors, 10);
  assert.equal((await bench.counters('s')).errors, 0);
});

test('an idle connection closed by the backend in the moment of use costs no GET and no error', async () => {
  await bench.start();
  let connections = 0;
  const backend = await bench.rawBackend((socket) => {
    const first = ++connections === 1;
    let requests = 0;
    socket.on('data', () => {
      // The first connection takes one request and hangs up on the second: the keep-alive race, made certain.
      if (first && ++requests === 2) socket.destroy();
      else socket.write(answer('ok'));
    });
  });
  const port = await bench.serve([instance('one', backend.port)]);
  const client = await rawClient(port);
  client.socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.waitFor(/ok$/);
  client.socket.write('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.waitFor(/ok[\s\S]*ok$/);
  client.socket.destroy();
  assert.equal(connections, 2);
  const figures = await bench.counters('one');
  assert.deepEqual([figures.requests, figures.errors, figures.inFlight], [2, 0, 0]);
});

test('a POST that a backend may have seen is not sent twice', async () => {
  await bench.start();
  let seen = 0;
  const backend = await bench.rawBackend((socket) =>
    socket.on('data', () => {
      seen++;
      socket.destroy();
    }),
  );
  const port = await bench.serve([instance('a', backend.port), instance('b', backend.port)]);
  assert.match(await rawExchange(port, POST), /^HTTP\/1\.1 502 /);
  assert.equal(seen, 1);
});

test('a GET whose backend dies before the first byte is answered by another', async () => {
  await bench.start();
  const dying = await bench.rawBackend((socket) => socket.on('data', () => socket.destroy()));
  const live = await bench.backend((_req, res) => res.end('ok'));
  const port = await bench.serve([instance('dying', dying.port), instance('live', live.port)]);
  for (let i = 0; i < 4; i++) assert.match(await rawExchange(port, GET), /\r\n\r\nok$/);
  const figures = await bench.counters('dying');
  assert.ok(figures.errors >= 1 && figures.errors === figures.requests);
});

test('an answer cut in the middle breaks the client connection and is an error', async () => {
  await bench.start();
  const backend = await bench.rawBackend((socket) =>
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart');
      setTimeout(() => socket.destroy(), 20);
    }),
  );
  const port = await bench.serve([instance('one', backend.port)]);
  const text = await rawExchange(port, GET);
  assert.match(text, /part$/);
  const figures = await bench.counters('one');
  assert.deepEqual([figures.requests, figures.errors, figures.status['2xx']], [1, 1, 1]);
});

test('a cut chunked answer never looks finished', async () => {
  await bench.start();
  const backend = await bench.rawBackend((socket) =>
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n');
      setTimeout(() => socket.destroy(), 20);
    }),
  );
  const port = await bench.serve([instance('one', backend.port)]);
  const text = await rawExchange(port, GET);
  assert.ok(text.endsWith('4\r\npart\r\n'), text);
});

test('a close-delimited answer ends with the close and becomes chunked for HTTP/1.1', async () => {
  await bench.start();
  const backend = await bench.rawBackend((socket) =>
    socket.on('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nhello')),
  );
  const port = await bench.serve([instance('one', backend.port)]);
  const client = await rawClient(port);
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.waitFor(/\r\n0\r\n\r\n$/), /Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0/);
  client.socket.destroy();
  assert.match(await rawExchange(port, 'GET / HTTP/1.0\r\n\r\n'), /Connection: close\r\n\r\nhello$/);
});

const LIES: [string, string][] = [
  ['not HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
  ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['status 999', 'HTTP/1.1 999 X\r\n\r\n'],
  ['a header without end', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}`],
];

for (const [what, bytes] of LIES) {
  test(`an answer that is not sound HTTP becomes 502: ${what}`, async () => {
    await bench.start();
    const backend = await bench.rawBackend((socket) => socket.on('data', () => socket.write(bytes)));
    const port = await bench.serve([instance('one', backend.port)]);
    assert.match(await rawExchange(port, GET), /^HTTP\/1\.1 502 /);
    assert.equal((await bench.counters('one')).errors, 1);
  });
}

test('bytes behind an answer are never taken for the next one', async () => {
  await bench.start();
  const backend = await bench.rawBackend((socket) =>
    socket.on('data', () => socket.write(answer('ok') + answer('evil'))),
  );
  const port = await bench.serve([instance('one', backend.port)]);
  const client = await rawClient(port);
  for (let i = 1; i <= 3; i++) {
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.waitFor(new RegExp(`(ok[\\s\\S]*){${i}}$`));
  }
  assert.ok(!client.text().includes('evil'));
  assert.equal(backend.sockets.length, 3, 'a connection with bytes left over is not used again');
  client.socket.destroy();
});

test('bytes on an idle connection end it', async () => {
  await bench.start();
  const backend = await bench.rawBackend((socket) =>
    socket.on('data', () => {
      socket.write(answer('ok'));
      setTimeout(() => socket.write(answer('evil')), 20);
    }),
  );
  const port = await bench.serve([instance('one', backend.port)]);
  await rawExchange(port, GET);
  await until('the router hung up', () => backend.sockets[0]?.destroyed);
  assert.match(await rawExchange(port, GET), /\r\n\r\nok$/);
});

test('a backend that says nothing: 504 after the idle time, counted as an error', async () => {
  await bench.start({ timeouts: { idleMs: 250 } });
  const backend = await bench.rawBackend((socket) => socket.resume());
  const port = await bench.serve([instance('one', backend.port)]);
  assert.match(await rawExchange(port, GET), /^HTTP\/1\.1 504 /);
  const figures = await bench.counters('one');
  assert.deepEqual([figures.requests, figures.errors, figures.inFlight], [1, 1, 0]);
});

test('a slow answer that keeps moving is not cut', async () => {
  await bench.start({ timeouts: { idleMs: 400 } });
  const backend = await bench.backend(async (_req, res) => {
    for (let i = 0; i < 8; i++) {
      res.write('x');
      await after(100);
    }
    res.end('end');
  });
  const port = await bench.serve([instance('one', backend.port)]);
  assert.match(await rawExchange(port, GET), /end\r\n0\r\n\r\n$/);
});

test('clients that stall get 408: in the head, in the body, and idle ones are closed', async () => {
  await bench.start({ timeouts: { headMs: 250, idleMs: 250, clientIdleMs: 250 } });
  const backend = await bench.backend((req, res) => req.resume().on('end', () => res.end('ok')));
  const port = await bench.serve([instance('one', backend.port)]);
  assert.match(await rawExchange(port, 'GET / HTTP/1.1\r\nHos'), /^HTTP\/1\.1 408 /);
  assert.match(
    await rawExchange(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi'),
    /^HTTP\/1\.1 408 /,
  );
  assert.equal(await rawExchange(port, ''), '');
  assert.equal((await bench.counters('one')).errors, 0);
});

test('a client that leaves aborts its request at the backend', async () => {
  await bench.start();
  let aborted = false;
  let asked = false;
  const backend = await bench.backend((_req, res) => {
    asked = true;
    res.on('close', () => {
      aborted = true;
    });
  });
  const port = await bench.serve([instance('one', backend.port)]);
  const client = await rawClient(port);
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the backend was asked', () => asked);
  client.socket.destroy();
  await until('the backend saw it leave', () => aborted);
  const figures = await bench.counters('one');
  assert.deepEqual([figures.requests, figures.errors, figures.inFlight], [1, 0, 0]);
});

test('kill -9 of one of two instances under load: no GET is lost', async () => {
  await bench.start();
  const source = `require('http').createServer((q, r) => setTimeout(() => r.end('ok'), 2)).listen(0, '127.0.0.1', function () { console.log(this.address().port) })`;
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  bench.onClose(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const live = await bench.backend((_req, res) => setTimeout(() => res.end('ok'), 2));
  const port = await bench.serve([instance('killed', Number(line.toString())), instance('live', live.port)]);
  const load = startLoad(port, 8);
  await until('load is on', () => load.answered > 300);
  child.kill('SIGKILL');
  const atKill = load.answered;
  await until('load goes on', () => load.answered > atKill + 300);
  await load.stop();
  assert.deepEqual(load.failures, []);
});
