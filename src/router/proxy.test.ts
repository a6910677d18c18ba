import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Agent, get, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { instance, rawClient, rawExchange, type TestBackend, TestBench, until } from './testing.ts';

/** What passes through the router, message by message. One router and one backend for all tests here. */
const bench = new TestBench();
let backend: TestBackend;
let port: number;

before(async () => {
  await bench.start();
  backend = await bench.backend((req, res) => {
    const url = req.url ?? '';
    if (url === '/headers') {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ method: req.method, url, headers: req.rawHeaders }));
    } else if (url === '/echo') {
      res.writeHead(200, { 'content-type': 'application/octet-stream', trailer: 'X-Sum' });
      req.on('data', (chunk) => res.write(chunk));
      req.on('end', () => {
        res.addTrailers({ 'X-Sum': req.trailers['x-check'] ?? 'none' });
        res.end();
      });
    } else if (url.startsWith('/status/')) {
      res.writeHead(Number(url.slice(8)));
      res.end();
    } else if (url === '/continue-refused') {
      res.writeHead(413, { connection: 'close' });
      res.end('too large');
    } else {
      res.end(`path ${url}`);
    }
  });
  backend.server.on('checkExpectation', (_req, res) => res.writeHead(417).end());
  port = await bench.serve([instance('one', backend.port)]);
});

after(() => bench.close());

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  trailers: NodeJS.Dict<string>;
  body: Buffer;
}

async function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Buffer[] } = {},
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        path,
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
        agent: false,
      },
      (res) => {
        const parts: Buffer[] = [];
        res.on('data', (part: Buffer) => parts.push(part));
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            trailers: res.trailers,
            body: Buffer.concat(parts),
          }),
        );
        res.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    for (const part of options.body ?? []) outgoing.write(part);
    outgoing.end();
  });
}

test('the backend sees who asked, and no hop-by-hop field', async () => {
  const answer = await ask('/headers', {
    headers: { 'x-forwarded-for': '6.6.6.6', te: 'trailers', 'x-app': 'yes' },
  });
  const { headers } = JSON.parse(answer.body.toString()) as { headers: string[] };
  const seen = Object.fromEntries(
    headers.map((name, i) => [name.toLowerCase(), headers[i + 1]]).filter((_, i) => i % 2 === 0),
  );
  assert.equal(seen['x-forwarded-for'], '127.0.0.1');
  assert.equal(seen['x-forwarded-proto'], 'http');
  assert.equal(seen['x-forwarded-host'], `127.0.0.1:${port}`);
  assert.equal(seen['x-app'], 'yes');
  assert.equal(seen.te, undefined);
  assert.equal(answer.headers['keep-alive'], undefined);
});

test('chunked both ways, with trailers both ways', async () => {
  const client = await rawClient(port);
  client.socket.write(
    'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Check: 7\r\n\r\n',
  );
  const text = await client.waitFor(/\r\n0\r\n.*\r\n\r\n$/s);
  assert.match(text, /Transfer-Encoding: chunked\r\n/);
  assert.match(text, /\r\n3\r\nabc\r\n/);
  assert.match(text, /\r\n0\r\nX-Sum: 7\r\n\r\n$/);
  client.socket.destroy();
});

test('a body arrives whole whatever its size and cut', async () => {
  for (const size of [1, 4_095, 8_192, 8_193, 65_536, 1_000_003]) {
    const body = Buffer.alloc(size, 'x');
    const answer = await ask('/echo', {
      method: 'POST',
      body: [body.subarray(0, size >> 1), body.subarray(size >> 1)],
    });
    assert.ok(answer.body.equals(body), `${size} bytes`);
  }
});

test('HEAD, 204 and 304 have no body and leave the connection in step', async () => {
  const client = await rawClient(port);
  client.socket.write('HEAD /headers HTTP/1.1\r\nHost: a\r\n\r\nGET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n');
  client.socket.write('GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\nGET /last HTTP/1.1\r\nHost: a\r\n\r\n');
  const text = await client.waitFor(/path \/last/);
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]),
    ['200', '204', '304', '200'],
  );
  client.socket.destroy();
});

test('pipelined requests are answered in order, over one connection', async () => {
  const client = await rawClient(port);
  const count = 200;
  client.socket.write(
    Array.from({ length: count }, (_, i) => `GET /p${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''),
  );
  const text = await client.waitFor(new RegExp(`path /p${count - 1}$`));
  assert.deepEqual(
    [...text.matchAll(/path \/p(\d+)/g)].map((match) => Number(match[1])),
    Array.from({ length: count }, (_, i) => i),
  );
  client.socket.destroy();
});

test('a pipelined POST and the request behind it do not mix', async () => {
  const client = await rawClient(port);
  client.socket.write(
    'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /after HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  const text = await client.waitFor(/path \/after/);
  assert.match(text, /5\r\nhello\r\n/);
  client.socket.destroy();
});

test('HTTP/1.0: chunked answers come plain and the connection closes; keep-alive is granted when asked', async () => {
  const plain = await rawExchange(port, 'POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello');
  assert.match(plain, /Connection: close\r\n/);
  assert.ok(!/chunked/i.test(plain) && plain.endsWith('\r\n\r\nhello'), plain);
  const client = await rawClient(port);
  client.socket.write('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.match(await client.waitFor(/path \/a/), /Connection: keep-alive\r\n/);
  client.socket.write('GET /b HTTP/1.0\r\n\r\n');
  await client.closed;
  assert.match(client.text(), /path \/b/);
});

test('Connection: close is honoured and announced', async () => {
  const text = await rawExchange(port, 'GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(text, /Connection: close\r\n/);
  assert.match(text, /path \/a$/);
});

test('a client that closes its sending side still gets its answer', async () => {
  const client = await rawClient(port, { allowHalfOpen: true });
  client.socket.end('GET /half HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.closed;
  assert.match(client.text(), /path \/half/);
});

const AMBIGUOUS: [string, string][] = [
  [
    'TE and CL',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'two CL',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'bad chunk size',
    'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'space before colon',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'obs-fold',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'bare LF',
    'GET / HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
];

for (const [what, bytes] of AMBIGUOUS) {
  test(`nothing behind an ambiguous message is read: ${what}`, async () => {
    const text = await rawExchange(port, bytes);
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*application\/problem\+json/);
    assert.match(text, /Connection: close\r\n/);
    assert.ok(!text.includes('smuggled'), text);
  });
}

test('400 stands even after good requests on the same connection', async () => {
  const text = await rawExchange(port, 'GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n');
  assert.match(text, /path \/a.*HTTP\/1\.1 400/s);
});

test('100-continue passes to the backend and back', async () => {
  const client = await rawClient(port);
  backend.server.once('checkContinue', (req, res) => {
    res.writeContinue();
    req.on('data', () => {});
    req.on('end', () => res.end('stored'));
  });
  client.socket.write('PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
  assert.match(await client.waitFor(/100 Continue\r\n\r\n$/), /^HTTP\/1\.1 100/);
  client.socket.write('abc');
  assert.match(await client.waitFor(/stored/), /HTTP\/1\.1 200 OK/);
  client.socket.destroy();
});

test('a refusal instead of 100 reaches the client, and the connection closes', async () => {
  backend.server.once('checkContinue', (_req, res) => {
    res.writeHead(413).end('no');
  });
  const text = await rawExchange(
    port,
    'PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n',
  );
  assert.match(text, /^HTTP\/1\.1 413 [\s\S]*Connection: close/);
});

test('an early answer reaches a client that is still sending', async () => {
  const client = await rawClient(port);
  client.socket.write('POST /continue-refused HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  const feeding = setInterval(() => client.socket.writable && client.socket.write(Buffer.alloc(16_384)), 1);
  try {
    await client.waitFor(/too large/);
    await client.closed;
  } finally {
    clearInterval(feeding);
  }
  assert.match(client.text(), /^HTTP\/1\.1 413/);
});

test('law: cutting a pipelined conversation anywhere changes nothing', async () => {
  const wire = Buffer.from(
    'GET /one HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nY' +
      'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\n0\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(wire.length), { maxLength: 6 }), async (cuts) => {
      const client = await rawClient(port);
      const points = [0, ...[...cuts].sort((a, b) => a - b), wire.length];
      for (let i = 1; i < points.length; i++) {
        client.socket.write(wire.subarray(points[i - 1], points[i]));
        await new Promise(setImmediate);
      }
      await client.closed;
      const bodies = client.text().match(/path \/one|1\r\nY\r\n0|1\r\nZ\r\n0|path \/two/g);
      assert.deepEqual(bodies, ['path /one', '1\r\nY\r\n0', '1\r\nZ\r\n0', 'path /two']);
    }),
    { numRuns: 40 },
  );
});

test('law: no bytes crash the router, and it answers afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, httpish) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      socket.end(
        Buffer.concat([
          Buffer.from(httpish ? 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' : ''),
          bytes,
        ]),
      );
      await new Promise((resolve) => socket.on('close', resolve));
    }),
    { numRuns: 60 },
  );
  assert.equal((await ask('/still')).body.toString(), 'path /still');
  await until('nothing is left in flight', async () => (await bench.counters('one')).inFlight === 0);
});

test('a keep-alive client reuses its connection, and the router reuses its own', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const before = backend.sockets.size;
  for (let i = 0; i < 50; i++) {
    await new Promise<void>((resolve, reject) => {
      get({ port, host: '127.0.0.1', path: '/k', agent }, (res) => res.resume().on('end', resolve)).on(
        'error',
        reject,
      );
    });
  }
  agent.destroy();
  assert.ok(backend.sockets.size <= before + 1);
});

test('the digest of 100 MB is the same on the other side, in both directions', async () => {
  const block = Buffer.alloc(1024 * 1024, 'slipway');
  const sent = createHash('sha256');
  const received = createHash('sha256');
  await new Promise<void>((resolve, reject) => {
    const outgoing = request(
      { port, host: '127.0.0.1', path: '/echo', method: 'POST', agent: false },
      (res) => {
        res.on('data', (part: Buffer) => received.update(part));
        res.on('end', resolve);
        res.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    let blocks = 100;
    const feed = () => {
      while (blocks-- > 0) {
        sent.update(block);
        if (!outgoing.write(block)) {
          outgoing.once('drain', feed);
          return;
        }
      }
      outgoing.end();
    };
    feed();
  });
  assert.equal(received.digest('hex'), sent.digest('hex'));
});

/** What the kernel and the router may hold of one stream, together. */
const HELD_BYTES = 48 * 1024 * 1024;

/** Writes until nothing more goes through for a while; returns the bytes that went. */
async function pushUntilStuck(
  write: (block: Buffer) => boolean,
  onDrain: (listener: () => void) => void,
): Promise<number> {
  const block = Buffer.alloc(64 * 1024);
  let bytes = 0;
  let moved = performance.now();
  const push = () => {
    moved = performance.now();
    do bytes += block.length;
    while (write(block) && bytes < 4 * HELD_BYTES);
  };
  onDrain(push);
  push();
  await until('the stream is stuck', () => performance.now() - moved > 300);
  return bytes;
}

test('a backend that does not read holds the client up', async () => {
  const sink = await bench.rawBackend((socket) => socket.pause());
  const stuck = await bench.client.apply(bench.route([instance('sink', sink.port)], { lane: 'sink/prod' }));
  const client = await rawClient(stuck.listening!.port);
  client.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n');
  const bytes = await pushUntilStuck(
    (block) => client.socket.write(block),
    (listener) => client.socket.on('drain', listener),
  );
  assert.ok(bytes < HELD_BYTES, `${bytes} bytes were taken`);
  client.socket.destroy();
  await bench.client.remove('sink/prod', bench.fence);
});

test('a client that does not read holds the backend up, and is let go when it leaves', async () => {
  let sent: Promise<number> | null = null;
  let closed = false;
  const flood = await bench.backend((_req, res) => {
    res.on('close', () => {
      closed = true;
    });
    sent = pushUntilStuck(
      (block) => res.write(block),
      (listener) => res.on('drain', listener),
    );
  });
  const lane = await bench.client.apply(bench.route([instance('flood', flood.port)], { lane: 'flood/prod' }));
  const client = await rawClient(lane.listening!.port);
  client.socket.pause();
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the backend was asked', () => sent !== null);
  assert.ok((await sent!) < HELD_BYTES);
  client.socket.destroy();
  await until('the backend noticed', () => closed);
  await bench.client.remove('flood/prod', bench.fence);
});

test('a client that asks and asks and never reads is held up too', async () => {
  const body = 'x'.repeat(8_000);
  const chatty = await bench.backend((_req, res) => res.end(body));
  const lane = await bench.client.apply(
    bench.route([instance('chatty', chatty.port)], { lane: 'chatty/prod' }),
  );
  const client = await rawClient(lane.listening!.port);
  client.socket.pause();
  const asks = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20_000));
  client.socket.write(asks);
  let before = -1;
  await until('the router asks no more', async () => {
    const { requests } = await bench.counters('chatty');
    const still = requests === before;
    before = requests;
    await delay(200);
    return still;
  });
  assert.ok(before * body.length < HELD_BYTES, `${before} answers were fetched`);
  client.socket.resume();
  await until(
    'all are answered once it reads',
    async () => (await bench.counters('chatty')).requests === 20_000,
  );
  client.socket.destroy();
  await bench.client.remove('chatty/prod', bench.fence);
});
