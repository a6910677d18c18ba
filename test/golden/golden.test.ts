import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../src/cli/main.ts';
import { local } from '../../src/local.ts';
import { createIo, type TestIo } from '../cli/io.ts';
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

  it('a watch outlives kill -9 of the server, and ends with the answer given meanwhile', async () => {
    const run = async (words: readonly string[], token?: string) => {
      const io = createIo({
        env: { ...world.env, ...(token === undefined ? {} : { SLIPWAY_TOKEN: token }) },
      });
      assert.equal(await runCli(words, { local }, io), 0, io.err());
      return io.out();
    };
    const judge = (await run(['token', 'create', 'judge', '--role', 'release-manager'])).trim();
    const watching = createIo({ env: world.env });
    const end = runCli(['promote', 'corner', 'prod', '--release', '2', '--watch'], { local }, watching);
    await saying(watching, 'awaiting-approval');
    world.kill('server');
    // Whether the watch happened to ask in between is chance; when it did, it says both.
    await gone(world.url);
    await answering(world.url);
    if (watching.err().includes('the server does not answer')) await saying(watching, 'the server is back');
    await run(['reject', 'corner/prod', '--reason', 'not today'], judge);
    assert.equal(await end, 5, watching.err());
    assert.match(watching.out(), /^corner\/prod: rejected after .*not today/);
  });
});

async function saying(io: TestIo, words: string): Promise<void> {
  for (const started = Date.now(); !io.err().includes(words); ) {
    if (Date.now() - started > 20_000) throw new Error(`it never said "${words}": ${io.err()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function answering(url: string): Promise<void> {
  for (const started = Date.now(); !(await answers(url)); ) {
    if (Date.now() - started > 20_000) throw new Error('the server was not started again');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function gone(url: string): Promise<void> {
  for (const started = Date.now(); await answers(url); ) {
    if (Date.now() - started > 5_000) throw new Error('the killed server still answers');
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/v1/health`).then(
    (answer) => answer.ok,
    () => false,
  );
}
