import assert from 'node:assert/strict';
import { matchesGlob as nodeMatches } from 'node:path/posix';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, literalPrefixes, matchesGlob, mayMatchBelow } from './glob.ts';

const matches = (pattern: string, path: string) => matchesGlob(compileGlob(pattern), path);

test('a pattern takes the thing it names and all below it', () => {
  for (const [pattern, path] of [
    ['dist', 'dist'],
    ['dist', 'dist/a/b.js'],
    ['dist/', 'dist/a'],
    ['./dist', 'dist'],
    ['.', 'anything/at/all'],
    ['**', '.hidden/x'],
    ['src/**', 'src/a/b'],
    ['src/**', 'src'],
    ['**/*.js', 'a.js'],
    ['**/*.js', 'a/b/c.js'],
    ['*.{js,ts}', 'a.ts'],
    ['{a,b/{c,d}}/x', 'b/d/x'],
    ['v[0-9].[!x]', 'v7.y'],
    ['a?c', 'abc'],
    ['\\*', '*'],
    ['a*b*c', 'aXXbYYbZc'],
  ] as const) {
    assert.ok(matches(pattern, path), `${pattern} takes ${path}`);
  }
});

test('and nothing else', () => {
  for (const [pattern, path] of [
    ['dist', 'distant'],
    ['dist', 'a/dist'],
    ['src/**', 'srcx/a'],
    ['*.js', 'a/b.js'],
    ['v[0-9]', 'vx'],
    ['a?c', 'ac'],
    ['a/*/c', 'a/c'],
  ] as const) {
    assert.ok(!matches(pattern, path), `${pattern} does not take ${path}`);
  }
});

test('agrees with the one of Node where both are defined', () => {
  const part = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', '**', '?');
  const name = fc.constantFrom('a', 'b', 'ab', 'aab', 'c');
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.array(name, { minLength: 1, maxLength: 5 }),
      (pattern, path) => {
        // Ours also takes what lies below a match, and with `a/**` the directory itself.
        fc.pre(pattern.at(-1) !== '**');
        const prefixes = path.map((_, i) => path.slice(0, i + 1).join('/'));
        const expected = prefixes.some((prefix) => nodeMatches(prefix, pattern.join('/')));
        assert.equal(
          matches(pattern.join('/'), path.join('/')),
          expected,
          `${pattern.join('/')} on ${path.join('/')}`,
        );
      },
    ),
    { numRuns: 1_000 },
  );
});

test('no directory is passed over that could hold a match', () => {
  const part = fc.constantFrom('a', 'b', '*', '**', 'a*');
  const name = fc.constantFrom('a', 'b', 'ab');
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.array(name, { minLength: 2, maxLength: 5 }),
      (pattern, path) => {
        const glob = compileGlob(pattern.join('/'));
        if (matchesGlob(glob, path.join('/')))
          assert.ok(path.slice(0, -1).every((_, i) => mayMatchBelow(glob, path.slice(0, i + 1).join('/'))));
      },
    ),
  );
});

test('hostile patterns are refused or take linear time', () => {
  assert.throws(() => compileGlob('../secret'), /leaves the repository/);
  assert.throws(() => compileGlob('/etc/**'), /is absolute/);
  assert.throws(() => compileGlob('{a,b}'.repeat(20)), /stands for more than/);
  assert.throws(() => compileGlob('x'.repeat(5_000)), /too long/);
  const started = performance.now();
  assert.ok(!matches(`${'*a'.repeat(300)}b`, 'a'.repeat(3_000)));
  assert.ok(!matches(`${Array(30).fill('**/a').join('/')}/c`, `${'a/'.repeat(1_000)}b`));
  assert.ok(performance.now() - started < 2_000);
});

test('the literal start of a pattern is where its matches lie', () => {
  assert.deepEqual(literalPrefixes('src/**/*.ts'), ['src']);
  assert.deepEqual(literalPrefixes('{a,b}/x'), ['a/x', 'b/x']);
  assert.deepEqual(literalPrefixes('*.json'), ['']);
});
