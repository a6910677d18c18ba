import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { startTestServer } from '../../../src/platform/postgres/testing.ts';
import { chooseFiles } from './choose.ts';

/**
 * `node script/lib/test/run.ts [pattern…]`: all tests, or those whose path holds one of the patterns, on one shared
 * PostgreSQL. Ends with the summary of node's test runner. With CI=true a skipped test is a failure.
 */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** examples/shop is not ours to test: its tests run in its own build. */
const TESTS = '{src,test,sim,script,web}/**/*.test.ts';
/** One file at least waits for a child or a deadline at any time, so one more than there are cores. */
const CONCURRENCY = availableParallelism() + 1;
const TEST_TIMEOUT_MS = 600_000;

const patterns = process.argv.slice(2);
const found: string[] = [];
for await (const path of glob(TESTS, { cwd: ROOT, exclude: (name) => /node_modules|dist/.test(name) }))
  found.push(path);
const files = chooseFiles(found, patterns);
if (files.length === 0) {
  process.stderr.write(`no test file has ${patterns.join(' or ')} in its path\n`);
  process.exit(2);
}
process.exitCode = await run(files);

async function run(files: readonly string[]): Promise<number> {
  const server = process.env.SLIPWAY_TEST_POSTGRES_URL ? null : await startTestServer();
  const color = process.stdout.isTTY && !process.env.NO_COLOR;
  const child = spawn(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${CONCURRENCY}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      `--test-reporter=${pathToFileURL(join(ROOT, 'script/lib/test/slowest.ts')).href}`,
      '--test-reporter-destination=stderr',
      ...files,
    ],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ...(server ? { SLIPWAY_TEST_POSTGRES_URL: server.url } : {}),
        ...(color ? { FORCE_COLOR: '1' } : {}),
      },
    },
  );
  const stop = () => child.kill('SIGTERM');
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const summary = await passOn(child.stdout);
  const [code] = await ended;
  await server?.stop();
  const skipped = Number(summary.get('skipped') ?? 0) + Number(summary.get('todo') ?? 0);
  const refused = process.env.CI === 'true' && skipped > 0;
  if (refused) process.stdout.write(`\n${skipped} tests were skipped, which CI does not take\n`);
  process.stdout.write(`\n${[...summary].map(([name, value]) => `ℹ ${name} ${value}`).join('\n')}\n`);
  return code === 0 && refused ? 1 : (code ?? 1);
}

/** Writes the output through, but keeps the summary back: what failed is told after it, and it has to close the output. */
async function passOn(output: NodeJS.ReadableStream): Promise<Map<string, string>> {
  const summary = new Map<string, string>();
  for await (const line of createInterface({ input: output })) {
    const match = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/.exec(
      stripVTControlCharacters(line),
    );
    if (match) summary.set(match[1] as string, match[2] as string);
    else process.stdout.write(`${line}\n`);
  }
  return summary;
}
