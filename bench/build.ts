import { randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BuildConfig } from '../src/kernel/config.ts';
import { IMAGE, STEP, workshop } from '../src/stages/build/build.testing.ts';
import { packArchive } from '../src/stages/build/image/pack.ts';
import { walkTree } from '../src/stages/build/tree/walk.ts';

/**
 * Two figures: how fast trees are hashed and packed into layers, and what a build costs whose steps and layers are all
 * cached, from commit to pushed manifest (the registry is a directory here). `node bench/build.ts`: JSON on stdout.
 */

const FILES = 2_000;
const BIG_FILES = 4;
const BIG_BYTES = 16 * 1024 * 1024;
const REPEATS = 5;

/** Like a dependency folder: many small texts, a few large half-random files. */
async function makeTree(root: string): Promise<number> {
  let bytes = 0;
  const line =
    'export function total(items) { return items.reduce((sum, item) => sum + item.price * item.count, 0); }\n';
  for (let i = 0; i < FILES; i++) {
    const content = `// ${i}\n${line.repeat(1 + (i % 120))}`;
    const path = join(root, `node_modules/package-${i % 97}/lib/file-${i}.js`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    bytes += content.length;
  }
  for (let i = 0; i < BIG_FILES; i++) {
    const content = Buffer.alloc(BIG_BYTES, line);
    for (let at = 0; at < BIG_BYTES; at += 8_192) randomFillSync(content, at, 4_096);
    await writeFile(join(root, `big-${i}.bin`), content);
    bytes += BIG_BYTES;
  }
  return bytes;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function timed<Result>(work: () => Promise<Result>): Promise<{ result: Result; ms: number }> {
  const from = performance.now();
  const result = await work();
  return { result, ms: performance.now() - from };
}

/** MB = 1,000,000 bytes of files; medians. */
export interface BuildBench {
  packing: {
    megabytes: number;
    files: number;
    hashMBs: number;
    gzipMBs: number;
    zstdMBs: number;
    residentMB: number;
  };
  /** From the call to the pushed manifest; the steps' own work is not in it. */
  cachedBuildMs: { median: number; maximum: number };
  coldBuildMs: number;
  cores: number;
}

async function packing(): Promise<BuildBench['packing']> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  try {
    const root = join(home, 'tree');
    await mkdir(root);
    const bytes = await makeTree(root);
    const rate = async (work: (round: number) => Promise<unknown>) => {
      const times: number[] = [];
      for (let round = 0; round < REPEATS; round++) times.push((await timed(() => work(round))).ms);
      return Math.round(bytes / 1_000 / median(times));
    };
    const walk = () => walkTree(root, { globs: null, unlock: false });
    const entries = await walk();
    const inputs = entries.map((entry) => ({ entry, host: join(root, entry.path) }));
    const pack = (compression: 'gzip' | 'zstd') => (round: number) =>
      packArchive(home, `pack-${round}`, inputs, { mtimeS: 0, compression });
    return {
      megabytes: Math.round(bytes / 1e6),
      files: entries.length,
      hashMBs: await rate(walk),
      gzipMBs: await rate(pack('gzip')),
      zstdMBs: await rate(pack('zstd')),
      residentMB: Math.round(process.memoryUsage().rss / 1e6),
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

const MAKE_DEPENDENCIES =
  'mkdir node_modules; for i in $(seq 300); do mkdir node_modules/$i; seq 2000 > node_modules/$i/index.js; done';

const SERVICE: BuildConfig = {
  steps: [
    { ...STEP, name: 'deps', run: MAKE_DEPENDENCIES, inputs: ['package.json'], outputs: ['node_modules'] },
    { ...STEP, name: 'compile', run: 'cp -r src dist', needs: ['deps'], outputs: ['dist'] },
    { ...STEP, name: 'test', run: 'test -d dist', needs: ['compile'] },
  ],
  image: {
    ...IMAGE,
    layers: [
      { name: 'deps', from: ['node_modules'], to: '/app', exclude: [] },
      { name: 'app', from: ['dist'], to: '/app', exclude: [] },
    ],
  },
};

async function builds(): Promise<Pick<BuildBench, 'cachedBuildMs' | 'coldBuildMs'>> {
  const shop = await workshop();
  try {
    const modules = Array.from({ length: 300 }, (_, i) => [
      `src/module-${i}.js`,
      `export const value = ${i};\n`.repeat(20),
    ]);
    const commit = await shop.commit({ ...Object.fromEntries(modules), 'package.json': '{}' }, SERVICE);
    const cold = await timed(() => shop.build(commit));
    if (cold.result.error) throw new Error(cold.result.error.message);
    const times: number[] = [];
    for (let round = 0; round < 2 * REPEATS; round++) times.push((await timed(() => shop.build(commit))).ms);
    const cachedBuildMs = { median: Math.round(median(times)), maximum: Math.round(Math.max(...times)) };
    return { cachedBuildMs, coldBuildMs: Math.round(cold.ms) };
  } finally {
    await shop.close();
  }
}

export async function benchBuild(): Promise<BuildBench> {
  return { packing: await packing(), ...(await builds()), cores: availableParallelism() };
}

if (import.meta.main) {
  const bench = await benchBuild();
  const { packing: pack, cachedBuildMs } = bench;
  process.stderr.write(
    `packing ${pack.megabytes} MB in ${pack.files} files: hash ${pack.hashMBs}, gzip ${pack.gzipMBs}, zstd ${pack.zstdMBs} MB/s; ` +
      `${pack.residentMB} MB resident\nfully cached build: ${cachedBuildMs.median} ms (cold ${bench.coldBuildMs} ms); ${bench.cores} cores\n`,
  );
  console.log(JSON.stringify(bench, null, 2));
  process.exit(0);
}
