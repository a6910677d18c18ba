import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import { after, before, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { instance, rawClient, rawExchange, TestBench, until } from './testing.ts';

/** Long-lived exchanges: WebSocket tunnels and event streams. */
const bench = new TestBench();
let port: number;
let streamClosed = false;
let release: () => void = () => {};

before(async () => {
  await bench.start();
  const backend = await bench.backend((req, res) => {
    if (req.url !== '/events') {
      res.end('plain');
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: first\n\n');
    release = () => res.end('data: last\n\n');
    res.on('close', () => {
      streamClosed = true;
    });
  });
  const sockets = new WebSocketServer({ server: backend.server, path: '/ws' });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  port = await bench.serve([instance('one', backend.port)]);
});

after(() => bench.close());

async function openSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { perMessageDeflate: false });
  await once(socket, 'open');
  return socket;
}

test('a WebSocket echoes through the router, small and large, text and binary', async () => {
  const socket = await openSocket();
  for (const message of ['hello', 'x'.repeat(100_000), Buffer.alloc(2_000_000, 7)]) {
    socket.send(message);
    const [echoed] = (await once(socket, 'message')) as [Buffer];
    assert.ok(Buffer.from(message).equals(echoed));
  }
  socket.close();
  await once(socket, 'close');
});

test('an open tunnel is in flight, counts once, and outlives a drain of its instance', async () => {
  const before = await bench.counters('one');
  const socket = await openSocket();
  const open = await bench.counters('one');
  assert.equal(open.inFlight, before.inFlight + 1);
  assert.equal(open.requests, before.requests + 1);
  assert.equal(open.status['1xx'], before.status['1xx'] + 1);
  const { route } = (await bench.client.get('shop/prod'))!;
  const draining = route.backends.map((backend) => ({ ...backend, state: 'draining' as const }));
  await bench.apply(draining);
  socket.send('still here');
  await once(socket, 'message');
  await bench.apply(route.backends);
  socket.terminate();
  await until('the tunnel is gone', async () => (await bench.counters('one')).inFlight === before.inFlight);
  assert.equal((await bench.counters('one')).requests, before.requests + 1);
});

test('bytes a client sends right behind its handshake reach the backend', async () => {
  const client = await rawClient(port);
  const key = Buffer.alloc(16).toString('base64');
  const handshake = `GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
  const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
  client.socket.write(Buffer.concat([Buffer.from(handshake), frame]));
  const text = await client.waitFor('\x81\x02hi');
  assert.match(
    text,
    /^HTTP\/1\.1 101 Switching Protocols\r\n[\s\S]*Connection: Upgrade\r\nUpgrade: websocket\r\n/,
  );
  client.socket.destroy();
});

test('a refused handshake is an ordinary answer', async () => {
  const ask = 'GET /no HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const client = await rawClient(port);
  client.socket.write(ask);
  assert.match(await client.waitFor(/HTTP\/1\.1 \d+[\s\S]*\r\n\r\n/), /^HTTP\/1\.1 [24]\d\d/);
  client.socket.destroy();
});

test('h2c is not offered: the upgrade is dropped and the request answered', async () => {
  const text = await rawExchange(
    port,
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
  );
  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*plain$/);
});

test('an event arrives when it is sent, not when a buffer is full', async () => {
  const { text, end } = await new Promise<{ text: () => string; end: Promise<void> }>((resolve) => {
    get({ port, host: '127.0.0.1', path: '/events', agent: false }, (res) => {
      let seen = '';
      res.setEncoding('utf8').on('data', (part: string) => {
        seen += part;
      });
      resolve({ text: () => seen, end: new Promise((done) => res.on('end', done)) });
    });
  });
  await until('the first event', () => text() === 'data: first\n\n');
  release();
  await end;
  assert.equal(text(), 'data: first\n\ndata: last\n\n');
});

test('the backend learns that a listener left', async () => {
  streamClosed = false;
  const client = await rawClient(port);
  client.socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.waitFor(/first/);
  client.socket.destroy();
  await until('the backend sees the close', () => streamClosed);
});
