import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMasker, encodingsOf, MASK, maskAll } from './mask.ts';
import { createLogWriter } from './writer.ts';

const SECRET = 'p@ss/w+rd "quoted" & more';

const ENCODINGS: Record<string, (text: string) => string> = {
  raw: (text) => text,
  json: (text) => JSON.stringify({ text }),
  'json in json': (text) => JSON.stringify(JSON.stringify({ text })),
  'JSON with escaped slashes': (text) => JSON.stringify(text).replaceAll('/', '\\/'),
  url: (text) => encodeURIComponent(text),
  'url, lower case': (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
  form: (text) => new URLSearchParams({ text }).toString(),
  hex: (text) => Buffer.from(text).toString('hex'),
  base64: (text) => Buffer.from(text).toString('base64'),
  'base64 url': (text) => Buffer.from(text).toString('base64url'),
  'base64 after 1 byte': (text) => Buffer.from(`x${text}`).toString('base64'),
  'base64 after 2 bytes': (text) => Buffer.from(`xy${text}y`).toString('base64'),
  'basic auth': (text) => `Basic ${Buffer.from(`user:${text}`).toString('base64')}`,
  'wrapped base64': (text) =>
    Buffer.from(text)
      .toString('base64')
      .replace(/(.{8})/g, '$1\n'),
};

for (const [name, encode] of Object.entries(ENCODINGS)) {
  test(`a secret is hidden in ${name}, in one piece and byte by byte`, () => {
    const shown = encode(SECRET);
    const core = encodingsOf(SECRET).filter((form) => shown.replace(/[\r\n]/g, '').includes(form));
    assert.ok(core.length > 0);
    for (const size of [1, 2, 3, 7, 1_000]) {
      const masker = createMasker([SECRET]);
      let output = '';
      const text = `before ${shown} after`;
      for (let i = 0; i < text.length; i += size) output += masker.push(text.slice(i, i + size));
      output += masker.end();
      assert.ok(output.includes(MASK), output);
      assert.ok(output.startsWith('before ') && output.endsWith(' after'), output);
      for (const form of core) assert.ok(!output.replace(/[\r\n]/g, '').includes(form), `${size}: ${output}`);
    }
  });
}

test('however a text is cut into pieces, the result is the same, and no secret is in it', () => {
  const secrets = ['abcabd', 'abdxyz', 'aaaa', SECRET];
  const noise = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '\n', 'ab', 'abcabd', 'aaaa', 'xyz', SECRET), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(noise, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (parts, cuts) => {
      const text = parts.join('');
      const masker = createMasker(secrets);
      let output = '';
      for (let at = 0, i = 0; at < text.length; i++) {
        const size = cuts[i % cuts.length] ?? 1;
        output += masker.push(text.slice(at, at + size));
        at += size;
      }
      output += masker.end();
      assert.equal(output, maskAll(text, secrets));
      for (const secret of secrets) assert.ok(!output.includes(secret));
    }),
    { numRuns: 500 },
  );
});

test('text without secrets passes unchanged, short values are no secrets', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => maskAll(text, ['a', 'xy', 'zzzzzzzzzzzz']) === text),
  );
});

async function write(
  chunks: readonly Buffer[],
  options: { maxBytes?: number; secrets?: string[] } = {},
): Promise<string[]> {
  const stored: string[] = [];
  const writer = createLogWriter(async (text) => void stored.push(text), options.secrets ?? [], options);
  for (const chunk of chunks) await writer.write(chunk);
  await writer.end();
  return stored;
}

test('output is batched in order, characters split over chunks stay whole, zero bytes are replaced', async () => {
  const bytes = Buffer.from('äöü\0€ '.repeat(3_000));
  const chunks = Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1));
  const stored = await write(chunks);
  assert.equal(stored.join(''), 'äöü\u{fffd}€ '.repeat(3_000));
  assert.ok(stored.length < 20);
});

test('a log is cut at its bound, on a character, with a note, once', async () => {
  const stored = await write(
    Array.from({ length: 100 }, () => Buffer.from('ä'.repeat(100))),
    { maxBytes: 1_001 },
  );
  const text = stored.join('');
  assert.equal(text.indexOf('['), 501);
  assert.match(text, /^ä{500}\n\[the log of this step is longer than 1001 bytes; the rest is not kept\]\n$/);
});

test('a failing sink comes out, and nothing after it is stored', async () => {
  let calls = 0;
  const writer = createLogWriter(async () => {
    calls++;
    throw new Error('database away');
  }, []);
  await assert.rejects(writer.write(Buffer.alloc(100_000, 'x')), /database away/);
  await assert.rejects(writer.write(Buffer.from('more')), /database away/);
  await assert.rejects(writer.end(), /database away/);
  assert.equal(calls, 1);
});
