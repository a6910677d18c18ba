import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError, EXIT, errorJson, exitCodeOf, formatError, Interrupted } from '../../src/cli/errors.ts';
import { clean, cleanDeep, oneLine } from '../../src/cli/output/clean.ts';
import { parseFormat, select } from '../../src/cli/output/output.ts';
import { paintState, styleFor } from '../../src/cli/output/style.ts';
import { cut, pairs, table, widthOf, wrap } from '../../src/cli/output/table.ts';
import { ago, bytes, duration, parseDuration, percent } from '../../src/cli/output/time.ts';
import { closest, editDistance } from '../../src/cli/suggest.ts';
import { ERROR_CODES, SlipwayError } from '../../src/kernel/errors.ts';

const PLAIN = styleFor({ isTTY: false }, {});

test('tables line up, whatever the width of a character, and end without spaces', () => {
  const text = table(
    ['A', 'B'],
    [
      ['東京', 'x'],
      ['a', '\x1b[31mred\x1b[39m'],
    ],
  );
  assert.equal(text, 'A     B\n東京  x\na     \x1b[31mred\x1b[39m\n');
  assert.equal(pairs([['a', '1'], null, ['long', '']]), 'a     1\nlong\n');
  assert.equal(pairs([]), '');
  assert.equal(widthOf('e\u0301\u200d'), 1);
});

test('wrapped text keeps every word and the width', () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
      fc.integer({ min: 12, max: 80 }),
      (words, width) => {
        const lines = wrap(words.join(' '), width).split('\n');
        assert.equal(lines.join(' '), words.join(' '));
        for (const line of lines) assert.ok(line.length <= width);
      },
    ),
  );
  assert.equal(widthOf(cut('a long title', 6)), 6);
  assert.equal(cut('short', 6), 'short');
});

test('times', () => {
  for (const [ms, text] of [
    [0, '0 ms'],
    [340, '340 ms'],
    [4_240, '4.2 s'],
    [59_999, '59.9 s'],
    [65_000, '1m 05s'],
    [120_000, '2m'],
    [7_800_000, '2h 10m'],
    [273_600_000, '3d 4h'],
  ] as const)
    assert.equal(duration(ms), text);
  const now = Date.parse('2026-01-01T00:00:00Z');
  for (const [at, text] of [
    ['2026-01-01T00:00:00Z', 'just now'],
    ['2025-12-31T23:59:20Z', '40s ago'],
    ['2025-12-30T00:00:00Z', '2d ago'],
    ['2026-01-01T01:30:00Z', 'in 1h'],
    [null, '-'],
  ] as const)
    assert.equal(ago(at, now), text);
  for (const [text, seconds] of [
    ['90s', 90],
    ['10m', 600],
    ['1h30m', 5_400],
    ['7d', 604_800],
    ['45', 45],
    ['0s', 0],
    ['', null],
    ['soon', null],
    ['-5s', null],
    ['1.5h', null],
    ['10m1h', null],
    ['9'.repeat(30), null],
  ] as const)
    assert.equal(parseDuration(text), seconds, text);
  assert.deepEqual([bytes(512), bytes(12_600), bytes(5 * 2 ** 40)], ['512 B', '12.3 KiB', '5120.0 GiB']);
  assert.deepEqual([percent(0.003), percent(0), percent(null)], ['0.3 %', '0 %', '-']);
});

test('text from outside cannot steer the terminal', () => {
  assert.equal(clean('a\x1b[2Jb\x1b]0;title\x07c\u202ed\x9bm\r\n\te'), 'abcd\n\te');
  assert.equal(oneLine('a\n  b\tc\x07'), 'a b c');
  assert.deepEqual(cleanDeep({ 'k\x1b[1m': ['\x1b[31mx', 1, null, { y: '\u2067z' }] }), {
    k: ['x', 1, null, { y: 'z' }],
  });
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(clean(text).replace(/[\n\t]/g, ''), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});

test('cleaning takes time in proportion to the text, whatever is in it', () => {
  const esc = '\u001b';
  for (const piece of [
    esc,
    `${esc}[`,
    `${esc}[;`,
    `${esc}]`,
    `${esc}]a`,
    `${esc}P`,
    '\u009b',
    `${esc}]${'a'.repeat(50)}`,
    '\n ',
    '\u202e',
  ]) {
    const text = piece.repeat(200_000 / piece.length);
    const before = process.cpuUsage().user;
    oneLine(text);
    const tookMs = (process.cpuUsage().user - before) / 1_000;
    assert.ok(tookMs < 500, `${JSON.stringify(piece)} took ${tookMs} ms`);
  }
});

test('colours: NO_COLOR beats FORCE_COLOR beats TERM=dumb beats the stream', () => {
  const coloured = (isTTY: boolean, env: Record<string, string>) => styleFor({ isTTY }, env).red('x') !== 'x';
  assert.ok(coloured(true, {}));
  assert.ok(!coloured(false, {}));
  assert.ok(!coloured(true, { TERM: 'dumb' }));
  assert.ok(!coloured(true, { NO_COLOR: '1' }));
  assert.ok(coloured(true, { NO_COLOR: '' }));
  assert.ok(coloured(false, { FORCE_COLOR: '1' }));
  assert.ok(!coloured(true, { FORCE_COLOR: '0' }));
  assert.ok(!coloured(true, { FORCE_COLOR: '1', NO_COLOR: '1' }));
  assert.equal(paintState(PLAIN, 'failed'), 'failed');
});

test('names that were meant', () => {
  const names = ['shop', 'cart', 'checkout'];
  assert.equal(closest('shp', names), 'shop');
  assert.equal(closest('hsop', names), 'shop');
  assert.equal(closest('chekcout', names), 'checkout');
  assert.equal(closest('zebra', names), null);
  assert.equal(editDistance('abcd', 'abdc'), 1);
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, a), 0);
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
});

test('fields of JSON: all, some in order, none that is not known', () => {
  assert.deepEqual(select([{ a: 1, b: 2 }], ['b', 'c']), [{ b: 2, c: null }]);
  assert.deepEqual(select([], ['a']), []);
  assert.equal(parseFormat(undefined, undefined, ['a']).json, false);
  assert.deepEqual(parseFormat('', undefined, ['a']), {
    json: true,
    fields: null,
    listFields: true,
    jq: null,
  });
  assert.deepEqual(parseFormat('*', undefined, ['a']).listFields, false);
  assert.deepEqual(parseFormat('b, a', undefined, ['a', 'b']).fields, ['b', 'a']);
  assert.deepEqual(parseFormat(undefined, '.x', []).json, true);
  assert.throws(() => parseFormat('c', undefined, ['a']), { code: 'usage' });
});

test('every error has the exit code of its code, its words, and the request', () => {
  for (const [code, { exit, title }] of Object.entries(ERROR_CODES)) {
    const error = new SlipwayError(code as keyof typeof ERROR_CODES, 'so it is');
    assert.equal(exitCodeOf(error), exit);
    const text = formatError(error, PLAIN);
    assert.match(text, new RegExp(`^slipway: ${code}: so it is\\n`));
    assert.ok(text.includes(title));
  }
  assert.equal(exitCodeOf(new Interrupted('x')), EXIT.interrupted);
  assert.equal(exitCodeOf(new TypeError('x')), EXIT.internal);
  const told = new ApiError('invalid_config', 'bad \x1b[2J', {
    hint: 'mend it',
    requestId: 'req_1',
    docs: null,
    diagnostics: [
      { path: 'a', message: 'no', hint: 'yes', position: { file: 'f.yaml', line: 3, column: 7 } },
    ],
  });
  const text = formatError(told, PLAIN);
  for (const part of ['f.yaml:3:7: no (yes)', 'next     mend it', 'request  req_1', 'docs     https://'])
    assert.ok(text.includes(part), part);
  assert.ok(!text.includes('\x1b'));
  const { error } = errorJson(told) as { error: Record<string, unknown> };
  assert.deepEqual([error.code, error.exit, error.requestId], ['invalid_config', 2, 'req_1']);
});
