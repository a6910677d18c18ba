import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIELD_STRIDE, type HeadKind } from './head-parser.ts';
import { HeadReader } from './head-reader.ts';

interface Outcome {
  step: string;
  status?: number;
  fields?: [string, string][];
  startLine?: string;
  rest?: string;
}

/** Reads `pieces` one after another; what comes out must not depend on how they were cut. */
function read(kind: HeadKind, pieces: readonly Buffer[]): Outcome {
  const reader = new HeadReader(kind);
  for (const [index, piece] of pieces.entries()) {
    const step = reader.read(piece, 0, piece.length);
    if (step === 'more') continue;
    const { parser, buffer } = reader;
    if (step === 'failed') return { step, status: parser.failureStatus };
    const text = (from: number, to: number) => buffer.toString('latin1', from, to);
    const fields = Array.from({ length: parser.fieldCount }, (_, i): [string, string] => {
      const slot = i * FIELD_STRIDE;
      return [
        text(parser.fields[slot + 1]!, parser.fields[slot + 2]!),
        text(parser.fields[slot + 3]!, parser.fields[slot + 4]!),
      ];
    });
    const rest = Buffer.concat([piece.subarray(reader.next), ...pieces.slice(index + 1)]).toString('latin1');
    const startLine =
      kind === 'request'
        ? `${text(parser.methodStart, parser.methodEnd)} ${text(parser.targetStart, parser.targetEnd)} 1.${parser.minorVersion}`
        : `1.${parser.minorVersion} ${parser.status}`;
    return { step, fields, startLine, rest };
  }
  return { step: 'more' };
}

const whole = (kind: HeadKind, text: string) => read(kind, [Buffer.from(text, 'latin1')]);

test('a request head is read into its parts', () => {
  const outcome = whole(
    'request',
    'GET /a?b=c HTTP/1.1\r\nHost: shop\r\nX-Empty:\r\nX-Tab:\t a b \t\r\n\r\nBODY',
  );
  assert.deepEqual(outcome, {
    step: 'done',
    startLine: 'GET /a?b=c 1.1',
    fields: [
      ['Host', 'shop'],
      ['X-Empty', ''],
      ['X-Tab', 'a b'],
    ],
    rest: 'BODY',
  });
});

test('a status line may lack its reason, and the space before it', () => {
  for (const line of ['HTTP/1.1 200 OK', 'HTTP/1.1 200 ', 'HTTP/1.1 200', 'HTTP/1.0 404 Caf\xe9']) {
    const outcome = whole('response', `${line}\r\n\r\n`);
    assert.equal(outcome.step, 'done', line);
  }
});

const head = 'GET / HTTP/1.1\r\nHost: a\r\n';
const REFUSED: [string, string, number][] = [
  ['bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
  ['bare LF after a field', `${head}A: b\n\r\n`, 400],
  ['bare LF at the end', `${head}\n`, 400],
  ['CR without LF in a value', `${head}A: b\rc\r\n\r\n`, 400],
  ['CR without LF at the end', `${head}\rX`, 400],
  ['a folded line', `${head}A: b\r\n c\r\n\r\n`, 400],
  ['a folded line by tab', `${head}A: b\r\n\tc\r\n\r\n`, 400],
  ['space before the colon', `${head}A : b\r\n\r\n`, 400],
  ['tab before the colon', `${head}A\t: b\r\n\r\n`, 400],
  ['an empty field name', `${head}: b\r\n\r\n`, 400],
  ['a field without colon', `${head}Ab\r\n\r\n`, 400],
  ['NUL in a value', `${head}A: b\0c\r\n\r\n`, 400],
  ['NUL in a name', `${head}A\0: b\r\n\r\n`, 400],
  ['DEL in a value', `${head}A: b\x7f\r\n\r\n`, 400],
  ['an escape in a value', `${head}A: \x1b[0m\r\n\r\n`, 400],
  ['non-ASCII in a name', `${head}\xc4: b\r\n\r\n`, 400],
  ['a brace in a name', `${head}A{}: b\r\n\r\n`, 400],
  ['an empty method', ' / HTTP/1.1\r\n\r\n', 400],
  ['a method that is no token', 'G@T / HTTP/1.1\r\n\r\n', 400],
  ['a method too long', `${'G'.repeat(33)} / HTTP/1.1\r\n\r\n`, 400],
  ['an empty target', 'GET  HTTP/1.1\r\n\r\n', 400],
  ['a space in the target', 'GET /a b HTTP/1.1\r\n\r\n', 400],
  ['a tab in the target', 'GET /a\tb HTTP/1.1\r\n\r\n', 400],
  ['a fragment in the target', 'GET /a#b HTTP/1.1\r\n\r\n', 400],
  ['non-ASCII in the target', 'GET /\xe9 HTTP/1.1\r\n\r\n', 400],
  ['no version', 'GET /\r\n\r\n', 400],
  ['a version in lower case', 'GET / http/1.1\r\n\r\n', 400],
  ['HTTP/2 by text', 'PRI * HTTP/2.0\r\n\r\n', 400],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\n\r\n', 505],
  ['space after the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 400],
  ['two empty lines first', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a TLS client', '\x16\x03\x01\x02\x00\x01', 400],
  ['101 fields', `${head}${'A: b\r\n'.repeat(100)}\r\n`, 431],
  ['64 KiB and more', `${head}A: ${'b'.repeat(65_536)}\r\n\r\n`, 431],
  ['a target of 64 KiB', `GET /${'a'.repeat(65_536)} HTTP/1.1\r\n\r\n`, 431],
];

for (const [what, text, status] of REFUSED) {
  test(`refused with ${status}: ${what}`, () => {
    const outcome = whole('request', text);
    assert.deepEqual(outcome, { step: 'failed', status });
    const bytes = Buffer.from(text, 'latin1');
    const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    assert.deepEqual(read('request', single), outcome, 'byte by byte');
  });
}

test('100 fields and one empty line before the request are taken', () => {
  const outcome = whole('request', `\r\n${head}${'A: b\r\n'.repeat(99)}\r\n`);
  assert.equal(outcome.step, 'done');
  assert.equal(outcome.fields?.length, 100);
});

const piece = fc.oneof(
  fc.constantFrom(
    '\r\n',
    '\r',
    '\n',
    ' ',
    ':',
    '\t',
    'GET / HTTP/1.1\r\n',
    'Host: a\r\n',
    'A: b\r\n',
    '\r\n\r\n',
    '\0',
    '\x80',
  ),
  fc.string({ minLength: 0, maxLength: 12 }),
);

test('law: the result does not depend on how the bytes are cut', () => {
  const bytes = fc
    .array(piece, { maxLength: 20 })
    .map((parts) => Buffer.from(`GET / HTTP/1.1\r\n${parts.join('')}`, 'latin1'));
  fc.assert(
    fc.property(
      bytes,
      fc.array(fc.nat(400), { maxLength: 12 }),
      fc.constantFrom<HeadKind>('request', 'response'),
      (text, cuts, kind) => {
        const points = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
        const pieces = points.slice(1).map((end, i) => text.subarray(points[i], end));
        assert.deepEqual(read(kind, pieces), read(kind, [text]));
      },
    ),
    { numRuns: 3_000 },
  );
});

test('law: no bytes crash the parser or make it read past its end', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom<HeadKind>('request', 'response', 'trailers'),
      (bytes, kind) => {
        const reader = new HeadReader(kind);
        const buffer = Buffer.from(bytes);
        const step = reader.read(buffer, 0, buffer.length);
        assert.ok(['more', 'done', 'failed'].includes(step));
        if (step === 'done') assert.ok(reader.next > 0 && reader.next <= buffer.length);
      },
    ),
    { numRuns: 5_000 },
  );
});

test('a head of single bytes up to the bound costs linear work', () => {
  const text = Buffer.from(`${head}A: ${'b'.repeat(60_000)}\r\n\r\n`);
  const started = performance.now();
  assert.equal(
    read(
      'request',
      Array.from(text, (_, i) => text.subarray(i, i + 1)),
    ).step,
    'done',
  );
  assert.ok(performance.now() - started < 2_000);
});
