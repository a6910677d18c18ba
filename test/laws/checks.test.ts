import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { FLOW } from '../../src/flow.ts';
import { ROOT } from './source.ts';

const MAX_OUTPUT_BYTES = 20_000;

/** What any contributor's editor would say, as tests, so that one command and one count tell everything. */
const CHECKS = {
  'types of the program': ['tsc', '--noEmit'],
  'types of the web UI': ['tsc', '--noEmit', '-p', 'web'],
  'format and lint': ['biome', 'check', '--error-on-warnings', '.'],
  'no file, export or dependency that nothing uses': ['knip', '--no-progress', '--no-config-hints'],
} as const;

for (const [name, [command, ...args]] of Object.entries(CHECKS))
  test(name, () => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: ROOT,
      encoding: 'utf8',
      env: {
        ...process.env,
        PATH: `${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
        NO_COLOR: '1',
      },
    });
    assert.equal(error, undefined);
    assert.equal(status, 0, `${command} ${args.join(' ')}\n${(stdout + stderr).slice(0, MAX_OUTPUT_BYTES)}`);
  });

test('flow.ts names every stage there is', () => {
  const folders = readdirSync(join(ROOT, 'src/stages')).sort();
  assert.deepEqual(FLOW.map(({ stage }) => stage).sort(), folders);
});
