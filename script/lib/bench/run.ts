import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Bench, benches } from './benches.ts';
import { mergeResults, type Result } from './results.ts';

/** `node script/lib/bench/run.ts [--quick] [name…]`: one bench after the other; bench/RESULTS.md is written after each. */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RESULTS = join(ROOT, 'bench/RESULTS.md');
const quick = process.argv.includes('--quick');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

const all = benches(ROOT);
const names = all.map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`there is no bench ${unknown.join(', ')}: ${names.join(', ')}\n`);
  process.exit(2);
}
const failed: string[] = [];
for (const bench of all.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  process.stderr.write(`\n== ${bench.name}\n`);
  const { ok, result } = await measure(bench);
  if (!ok) failed.push(bench.name);
  // Quick figures mean nothing, so they are not kept.
  if (result && !quick) await keep(result);
}
if (failed.length > 0) process.stderr.write(`\nfailed: ${failed.join(', ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;

async function measure(bench: Bench): Promise<{ ok: boolean; result: Result | null }> {
  const missing = bench.needs.filter((program) => !onPath(program));
  if (missing.length > 0) {
    process.stderr.write(`needs ${missing.join(', ')} on the path\n`);
    return { ok: false, result: null };
  }
  const command = quick ? bench.quick : bench.command;
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text);
      if (stream === bench.output) output += text;
    });
  const [code] = (await once(child, 'close')) as [number | null];
  // A bench that misses its goal exits with 1 and has figures all the same.
  const ok = code === 0;
  if (!ok) process.stderr.write(`${bench.name} ended with ${code}\n`);
  if (output.trim() === '') return { ok: false, result: null };
  const { name, about } = bench;
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const result = {
    name,
    about,
    command: `node ${command.join(' ')}`,
    date: `${date} UTC`,
    machine: machine(),
    commit: commit(),
    output,
  };
  return { ok, result };
}

async function keep(result: Result): Promise<void> {
  const before = await readFile(RESULTS, 'utf8').catch(() => '');
  await writeFile(RESULTS, mergeResults(before, [result], names));
}

function machine(): string {
  const model = cpus()[0]?.model.trim() || process.arch;
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores of ${model}, ${memory} GiB, ${process.platform}, Node ${process.versions.node}`;
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

function onPath(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v -- "$0"', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
