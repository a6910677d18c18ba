import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDiagnostic } from '../../kernel/errors.ts';
import { readYaml } from './yaml.ts';

function problems(content: string | Uint8Array): string[] {
  return readYaml('f.yaml', content).diagnostics.map(formatDiagnostic);
}

function first(content: string | Uint8Array, expected: RegExp): void {
  const found = problems(content);
  assert.match(found[0] ?? 'nothing', expected);
}

test('values and their positions', () => {
  const { documents, diagnostics } = readYaml(
    'f.yaml',
    'a: 1\nb:\n  - x\n  - {c: "y", d: }\n---\nsecond: true\n',
  );
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(
    documents.map((one) => one.value),
    [{ a: 1, b: ['x', { c: 'y', d: null }] }, { second: true }],
  );
  const [one, two] = documents;
  assert.deepEqual(one?.locate(['b', 1, 'c']), { file: 'f.yaml', line: 4, column: 9 });
  assert.deepEqual(one?.locate(['b', 1, 'c'], 'key'), { file: 'f.yaml', line: 4, column: 6 });
  assert.deepEqual(one?.locate(['b', 1, 'missing', 'deep']), { file: 'f.yaml', line: 4, column: 5 });
  assert.deepEqual(two?.locate(['second']), { file: 'f.yaml', line: 6, column: 9 });
  assert.equal(readYaml('f', 'a: 1.10').documents[0]?.written(['a']), '1.10');
});

test('the 1.2 core schema: no, on and dates are texts', () => {
  const { documents } = readYaml('f', 'a: no\nb: on\nc: 2020-01-01\nd: 0o17\ne: ~\nf: 012');
  assert.deepEqual(documents[0]?.value, { a: 'no', b: 'on', c: '2020-01-01', d: 15, e: null, f: 12 });
});

test('everything refused has a place', () => {
  first('a: 1\nb: 2\na: 3', /^f\.yaml:3:1: the key "a" stands twice \(It stands first in line 1/);
  first('a:\n\tb: 1', /^f\.yaml:2:1: a tab indents/);
  first('a: [1, 2', /^f\.yaml:1:9: not valid YAML/);
  first('a: "x', /^f\.yaml:1:/);
  first('a: b: c', /^f\.yaml:1:4: not valid YAML/);
  first('a: !!binary aGk=', /^f\.yaml:1:4: this tag/);
  first('a: !ruby/object x', /tag/);
  first('%YAML 1.1\n---\na: yes', /YAML 1\.1 is not read/);
  first('1: x', /^f\.yaml:1:1: expected a text as key, got "1"/);
  first('? [a]\n: x', /expected a text as key/);
  first('__proto__: {x: 1}', /__proto__|not allowed/);
  first('a: .nan', /^f\.yaml:1:4: the value \.nan/);
  first('a: .inf', /\.inf/);
  first('a: *b', /^f\.yaml:1:4: .*alias/i);
  first('a: &x [*x]', /contains itself/);
  first('a: "\\0"', /^f\.yaml:1:4: the text holds/);
  first('a: "\\uD800"', /^f\.yaml:1:4: (?:the text holds|not valid)/);
});

test('encodings: UTF-8 alone', () => {
  const utf16 = Buffer.from('\uFEFFa: 1', 'utf16le');
  first(utf16, /UTF-16/);
  first(Buffer.from('a: 1', 'utf16le'), /UTF-16/);
  first(new Uint8Array([97, 58, 32, 49, 10, 98, 58, 32, 0xc3, 0x28]), /^f\.yaml:2:4: this byte is not UTF-8/);
  first('a: 1\nb: x\u0000y', /^f\.yaml:2:5: this character/);
  first('a: \uFFFD', /this character/);
  first('a: x\u202Ey', /this character/);
  first('a: \uD800', /this character/);
  assert.deepEqual(problems('\uFEFFa: 1'), [], 'a byte order mark is dropped');
  assert.deepEqual(problems(Buffer.from('\uFEFFa: grüße 🚀\r\nb: 1\r\n')), []);
});

test('bounds: bytes, depth, documents, values and aliases', () => {
  first(`a: ${'x'.repeat(300_000)}`, /at most 131072/);
  first('['.repeat(50_000), /levels deep/);
  first('{a: '.repeat(10_000), /levels deep/);
  first('- '.repeat(60_000), /levels deep|not valid/);
  first(`${'[['.repeat(25)}${']]'.repeat(25)}`, /nested more than 40/);
  first('---\na: 1\n'.repeat(201), /more than 200 documents/);
  first(`a: [${'1, '.repeat(25_000)}1]`, /more than 20000 values/);
  first(`a: &a x\nb: [${'*a, '.repeat(101)}*a]`, /more than 100 aliases/);
});

test('an alias bomb is cut off by the values it makes, fast', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    lines.push(
      `a${i}: &a${i} [${Array(8)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  const before = process.cpuUsage();
  first(lines.join('\n'), /more than (?:20000 values|100 aliases)/);
  assert.ok(process.cpuUsage(before).user < 2_000_000);
});

test('no shape of file costs more than linear time', () => {
  const shapes = ['a: ', '&a ', '"', '? ', '#\n', '[}', '- @\n', 'a: |\n', '- *a\n', '---\n'];
  const cost = (text: string): number => {
    const before = process.cpuUsage();
    readYaml('f', text);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  cost('warm: up');
  for (const unit of shapes) {
    const text = unit.repeat(Math.floor(60_000 / unit.length));
    // CPU time, which does not depend on who else works here; quadratic ones take minutes.
    const ms = cost(text);
    assert.ok(ms < 3000, `${JSON.stringify(unit)} took ${ms} ms`);
  }
  const keys = Array.from({ length: 8_000 }, (_, i) => `k${i}: 1`).join('\n');
  assert.ok(cost(keys) < 3000);
});
