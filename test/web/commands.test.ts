import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { glob, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** `slipway promote <service> …` in a page: the words before the first placeholder, and the options. */
async function commandsOfPages(): Promise<Map<string, Set<string>>> {
  const commands = new Map<string, Set<string>>();
  for await (const path of glob('web/src/**/*.{ts,tsx}', { cwd: ROOT })) {
    const text = (await readFile(`${ROOT}${path}`, 'utf8')).replaceAll(/\s+/g, ' ');
    for (const [, rest = ''] of text.matchAll(/slipway ((?:[a-z]+ ?)+(?:[<$-][^'"`]*)?)/g)) {
      const words = /^(?:(?:ledger|platform|token|rollout) )?[a-z]+/.exec(rest)?.[0] ?? '';
      const options = commands.get(words) ?? new Set<string>();
      for (const [option] of rest.matchAll(/--[a-z]+/g)) options.add(option);
      commands.set(words, options);
    }
  }
  return commands;
}

test('every command that a page tells of exists, with its options', async () => {
  const commands = await commandsOfPages();
  assert.ok(commands.has('promote') && commands.has('register'), [...commands.keys()].join(', '));
  for (const [command, options] of commands) {
    const { stdout } = await run(process.execPath, ['src/main.ts', ...command.split(' '), '--help'], {
      cwd: ROOT,
    });
    for (const option of options) assert.ok(stdout.includes(option), `slipway ${command} has no ${option}`);
  }
});
