import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeadReader } from './head-reader.ts';
import { type Peer, readRequestHead } from './request-head.ts';

const PEER: Peer = { address: '192.0.2.7', localHost: '127.0.0.1:80', trusted: false };

function judge(text: string, peer: Peer = PEER) {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new HeadReader('request');
  assert.equal(reader.read(bytes, 0, bytes.length), 'done');
  return readRequestHead(reader.buffer, reader.parser, peer);
}

function accepted(text: string, peer: Peer = PEER) {
  const head = judge(text, peer);
  assert.ok(!('reason' in head), JSON.stringify(head));
  return head;
}

const post = (fields: string) => `POST / HTTP/1.1\r\nHost: shop\r\n${fields}\r\n`;

const REFUSED: [string, string, number][] = [
  ['Transfer-Encoding with Content-Length', post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n'), 400],
  ['Content-Length with Transfer-Encoding', post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n'), 400],
  ['two different lengths', post('Content-Length: 3\r\nContent-Length: 4\r\n'), 400],
  ['two equal lengths', post('Content-Length: 3\r\nContent-Length: 3\r\n'), 400],
  ['a list of lengths', post('Content-Length: 3, 3\r\n'), 400],
  ['a signed length', post('Content-Length: +3\r\n'), 400],
  ['a negative length', post('Content-Length: -3\r\n'), 400],
  ['a hexadecimal length', post('Content-Length: 0x3\r\n'), 400],
  ['an empty length', post('Content-Length: \r\n'), 400],
  ['a length with a space', post('Content-Length: 1 0\r\n'), 400],
  ['a length beyond 2^53', post('Content-Length: 99999999999999999\r\n'), 400],
  ['an unknown coding', post('Transfer-Encoding: xchunked\r\n'), 400],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked\r\n'), 400],
  ['two coding fields', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n'), 400],
  ['gzip before chunked', post('Transfer-Encoding: gzip, chunked\r\n'), 400],
  ['chunked not last', post('Transfer-Encoding: chunked, gzip\r\n'), 400],
  ['a quoted coding', post('Transfer-Encoding: "chunked"\r\n'), 400],
  ['a vertical-tab-free but odd coding', post('Transfer-Encoding: chunked;q=1\r\n'), 400],
  ['a coding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['a Host with a user', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['a target without slash', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['* for GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a user in the target', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['another expectation', post('Expect: 200-ok\r\nContent-Length: 3\r\n'), 417],
  ['too many options', post(`Connection: ${'a,'.repeat(20)}\r\n`), 400],
];

for (const [what, text, status] of REFUSED) {
  test(`refused with ${status}: ${what}`, () => {
    const head = judge(text);
    assert.ok('reason' in head, 'it was let through');
    assert.equal(head.status, status);
  });
}

test('end-to-end fields pass as they came, hop-by-hop fields stop here', () => {
  const { text } = accepted(
    'GET /a HTTP/1.1\r\nHost: shop\r\nX-One: 1\r\nConnection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5\r\n' +
      'X-Secret: s\r\nTE: trailers\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nx-two:  2 \r\n\r\n',
  );
  assert.equal(
    text,
    'GET /a HTTP/1.1\r\nHost: shop\r\nX-One: 1\r\nx-two:  2 \r\n' +
      'X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop\r\n\r\n',
  );
});

test('what a client says about forwarding is dropped, in every spelling', () => {
  const lies =
    'X-Forwarded-For: 1.1.1.1\r\nx_forwarded_for: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\n' +
    'X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nContent_Length: 9\r\n';
  const { text } = accepted(`GET / HTTP/1.1\r\nHost: shop\r\n${lies}\r\n`);
  assert.ok(!/1\.1\.1\.1|evil|https|_|Port/.test(text), text);
});

test('a trusted proxy is believed and extended', () => {
  const fields = 'X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n';
  const { text } = accepted(`GET / HTTP/1.1\r\nHost: shop\r\n${fields}\r\n`, { ...PEER, trusted: true });
  assert.match(
    text,
    /X-Forwarded-For: 1\.1\.1\.1, 192\.0\.2\.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\.example\r\n/,
  );
});

test('Connection cannot take away the framing or the Host', () => {
  const { text, framing } = accepted(
    post('Content-Length: 3\r\nConnection: close, content-length, host, x-forwarded-for\r\n'),
  );
  assert.match(text, /Host: shop\r\n/);
  assert.match(text, /Content-Length: 3\r\n/);
  assert.match(text, /X-Forwarded-For: 192/);
  assert.deepEqual(framing, { kind: 'length', length: 3 });
});

test('an absolute target becomes a path and replaces the Host', () => {
  const { text } = accepted('GET http://real:81?q=1 HTTP/1.1\r\nHost: other\r\n\r\n');
  assert.match(text, /^GET \/\?q=1 HTTP\/1\.1\r\nHost: real:81\r\n/);
  assert.ok(!text.includes('other'));
});

test('chunked is declared anew, in one spelling', () => {
  const { text, framing } = accepted(post('Transfer-Encoding:  ChUnKeD\r\n'));
  assert.match(text, /\r\nTransfer-Encoding: chunked\r\n/);
  assert.equal(framing.kind, 'chunked');
});

test('HTTP/1.0 is spoken to the backend as HTTP/1.1 with a Host, and closes unless asked', () => {
  const plain = accepted('GET / HTTP/1.0\r\n\r\n');
  assert.match(plain.text, /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:80\r\n/);
  assert.equal(plain.keepAlive, false);
  assert.equal(accepted('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n').keepAlive, true);
  assert.equal(accepted('GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n').keepAlive, false);
});

test('only a WebSocket handshake is an upgrade', () => {
  const ask = (fields: string) => accepted(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  assert.equal(ask('Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n').upgrade, true);
  assert.equal(ask('Upgrade: websocket\r\n').upgrade, false);
  assert.equal(ask('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n').upgrade, false);
});

test('law: the head sent on does not depend on how the bytes were cut', () => {
  const field = fc.constantFrom(
    'Host: a\r\n',
    'A: b\r\n',
    'Connection: A\r\n',
    'Content-Length: 3\r\n',
    'Cookie: a=b\r\n',
    'TE: x\r\n',
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 4 }), (fields, cuts) => {
      const text = `PUT /x HTTP/1.1\r\nHost: shop\r\n${fields.join('')}\r\n`;
      const bytes = Buffer.from(text);
      const reader = new HeadReader('request');
      const points = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
      const pieces = points.slice(1).map((end, i) => Buffer.from(bytes.subarray(points[i], end)));
      const steps = pieces.map((piece) => reader.read(piece, 0, piece.length));
      assert.equal(steps.at(-1), 'done');
      assert.deepEqual(readRequestHead(reader.buffer, reader.parser, PEER), judge(text));
    }),
    { numRuns: 1_000 },
  );
});
