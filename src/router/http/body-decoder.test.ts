import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyDecoder, encodeChunk, lastChunk } from './body-decoder.ts';
import { CHUNKED, type Framing } from './framing.ts';

function decode(framing: Framing, pieces: readonly Buffer[]) {
  const decoder = new BodyDecoder();
  decoder.begin(framing);
  const parts: Buffer[] = [];
  const sink = {
    onBody: (buffer: Buffer, start: number, end: number) =>
      parts.push(Buffer.from(buffer.subarray(start, end))),
  };
  for (const [index, piece] of pieces.entries()) {
    const step = decoder.feed(piece, 0, piece.length, sink);
    if (step === 'more') continue;
    if (step === 'failed') return { step };
    const rest = Buffer.concat([piece.subarray(decoder.next), ...pieces.slice(index + 1)]);
    return { step, body: Buffer.concat(parts), trailers: decoder.trailers, rest };
  }
  return { step: 'more' };
}

const chunked = (text: string) => decode(CHUNKED, [Buffer.from(text, 'latin1')]);

test('a chunked body is taken out of its framing, trailers included', () => {
  const result = chunked(
    '3\r\nabc\r\n0A ; x="y"\r\n0123456789\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nHost: x\r\n\r\nNEXT',
  );
  assert.equal(result.step, 'done');
  assert.equal(result.body?.toString(), 'abc0123456789');
  assert.equal(result.trailers, 'X-Sum: 1\r\n');
  assert.equal(result.rest?.toString(), 'NEXT');
});

const REFUSED: [string, string][] = [
  ['no size', '\r\nabc'],
  ['a size that is not hexadecimal', 'g\r\n'],
  ['a signed size', '+3\r\nabc\r\n'],
  ['a negative size', '-1\r\n'],
  ['a 0x size', '0x3\r\nabc\r\n'],
  ['space before the size', ' 3\r\nabc\r\n'],
  ['space after the size', '3 \r\nabc\r\n'],
  ['digits after a space', '3 3\r\nabc\r\n'],
  ['a size with bare LF', '3\nabc\r\n'],
  ['an extension with bare LF', '3;a\nabc\r\n'],
  ['an extension with bare CR', '3;a\rb\r\nabc\r\n'],
  ['data that ends in LF', '3\r\nabc\n'],
  ['data longer than its size', '3\r\nabcd\r\n'],
  ['data shorter than its size', '4\r\nabc\r\n0\r\n\r\n'],
  ['a size beyond 2^52', '10000000000000\r\n'],
  ['an underscore in the size', '1_0\r\n'],
  ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
  ['a trailer without colon', '0\r\nAb\r\n\r\n'],
  ['a final CR without LF', '0\r\n\rX'],
  ['extensions without end', `1;${'x'.repeat(20_000)}`],
];

for (const [what, text] of REFUSED) {
  test(`refused: ${what}`, () => assert.equal(chunked(text).step, 'failed'));
}

test('many small extensions together are refused too', () => {
  assert.equal(chunked(`1;${'x'.repeat(100)}\r\na\r\n`.repeat(200)).step, 'failed');
});

test('a sized body ends exactly there', () => {
  const result = decode({ kind: 'length', length: 4 }, [Buffer.from('ab'), Buffer.from('cdNEXT')]);
  assert.equal(result.body?.toString(), 'abcd');
  assert.equal(result.rest?.toString(), 'NEXT');
});

test('law: what was encoded comes out the same, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 6_000 }), { maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 10 }),
      (chunks, cuts) => {
        const frames = chunks.flatMap((chunk) => encodeChunk(Buffer.from(chunk)));
        const wire = Buffer.concat(
          [...frames, lastChunk('A: b\r\n'), 'NEXT'].map((frame) =>
            typeof frame === 'string' ? Buffer.from(frame, 'latin1') : frame,
          ),
        );
        const points = [0, ...cuts.map((cut) => cut % wire.length).sort((a, b) => a - b), wire.length];
        const result = decode(
          CHUNKED,
          points.slice(1).map((end, i) => wire.subarray(points[i], end)),
        );
        assert.deepEqual(result.body, Buffer.concat(chunks));
        assert.equal(result.trailers, 'A: b\r\n');
        assert.equal(result.rest?.toString(), 'NEXT');
      },
    ),
    { numRuns: 300 },
  );
});

test('law: damaged chunked bytes give the same result however they are cut, and never crash', () => {
  const part = fc.constantFrom(
    '3\r\n',
    'abc',
    '\r\n',
    '0',
    'a;b',
    '\n',
    '\r',
    ' ',
    'F',
    'A: b\r\n',
    '\r\n\r\n',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 16 }), (parts) => {
      const wire = Buffer.from(`3\r\nabc\r\n${parts.join('')}`, 'latin1');
      const single = decode(
        CHUNKED,
        Array.from(wire, (_, i) => wire.subarray(i, i + 1)),
      );
      assert.deepEqual(single, decode(CHUNKED, [wire]));
    }),
    { numRuns: 3_000 },
  );
});
