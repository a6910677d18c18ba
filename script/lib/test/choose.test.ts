import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFiles } from './choose.ts';

const FILES = ['src/router/proxy.test.ts', 'src/router/http/head.test.ts', 'test/laws/words.test.ts'];

test('all files without a pattern, else those whose path holds one', () => {
  assert.deepEqual(chooseFiles(FILES, []), [...FILES].sort());
  assert.deepEqual(chooseFiles(FILES, ['laws']), ['test/laws/words.test.ts']);
  assert.deepEqual(chooseFiles(FILES, ['./src/router/http', 'words']), [
    'src/router/http/head.test.ts',
    'test/laws/words.test.ts',
  ]);
  assert.deepEqual(chooseFiles(FILES, ['src/*/proxy']), ['src/router/proxy.test.ts']);
  assert.deepEqual(chooseFiles(FILES, ['proxy+test']), []);
});
