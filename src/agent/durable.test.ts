import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSlipwayError } from '../kernel/errors.ts';
import { writeDurably } from './durable.ts';

const directory = mkdtempSync(join(tmpdir(), 'slipway-durable-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('a full disk is said as such; the old bytes stay, and the next write succeeds', async () => {
  const path = join(directory, 'state.json');
  await writeDurably(path, 'old');
  // The temporary file of the next write is the device that is always full.
  symlinkSync('/dev/full', `${path}.tmp`);
  await assert.rejects(
    writeDurably(path, 'new'),
    (error) => isSlipwayError(error) && error.code === 'disk_full',
  );
  assert.equal(readFileSync(path, 'utf8'), 'old');
  assert.deepEqual(readdirSync(directory), ['state.json']);
  await writeDurably(path, 'new');
  assert.equal(readFileSync(path, 'utf8'), 'new');
});
