import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { replay } from './session.ts';
import { type Installation, startInstallation } from './world.ts';

const SESSIONS = fileURLToPath(new URL('sessions', import.meta.url));

/**
 * Sessions at the command line against a whole Slipway: commands in, readable output out, in the order of the files.
 * `UPDATE_GOLDEN=1` writes the files anew; the difference is what a reviewer reads.
 */
/** What is compared: a command and what came of it. */
function blocks(text: string): string[] {
  return text.split(/\n\n(?=\$ |@ |\/\/ )/);
}

/** Shows the blocks that differ and no others. */
function compare(found: readonly string[], expected: readonly string[]): void {
  const differs = (_: string, index: number) => found[index] !== expected[index];
  assert.equal(found.filter(differs).join('\n\n'), expected.filter(differs).join('\n\n'));
}

describe('golden sessions', () => {
  let world: Installation;
  before(async () => {
    world = await startInstallation();
  });
  after(async () => {
    assert.equal(await world.stop(), 0, 'slipway up ends in order');
  });
  for (const file of readdirSync(SESSIONS).sort()) {
    it(file, async () => {
      const path = join(SESSIONS, file);
      const expected = await readFile(path, 'utf8');
      const found = await replay(expected, world);
      if (process.env.UPDATE_GOLDEN === '1') await writeFile(path, found);
      else compare(blocks(found), blocks(expected));
    });
  }
});
