import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../../kernel/canonical.ts';
import type { BuildStepConfig } from '../../../kernel/config.ts';
import { type Digest, sha256 } from '../../../kernel/digest.ts';
import type { Clock } from '../../../platform/clock.ts';
import { createDurably } from '../../../platform/durable.ts';
import type { TreeEntry } from '../tree/entry.ts';

/** Raised when the meaning of an entry or the way outputs are made changes: older entries are then never found. */
export const CACHE_FORMAT = 1;

/** Files that pin what a package manager fetches. */
const LOCKFILES = new Set(
  ['package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'pnpm-lock.yaml', 'bun.lock', 'bun.lockb'].concat(
    ['go.sum', 'Cargo.lock', 'poetry.lock', 'uv.lock', 'Pipfile.lock', 'requirements.lock', 'Gemfile.lock'],
    ['composer.lock', 'deno.lock', 'gradle.lockfile', 'packages.lock.json'],
  ),
);

export interface StepInputs {
  /** The files the step sees of the source. */
  entries: readonly TreeEntry[];
  /** Keys of the steps it needs, by name. */
  needs: Readonly<Record<string, Digest>>;
  toolchain: Readonly<Record<string, string>>;
  sandbox: string;
  /** Seconds since 1970 that the step is told as SOURCE_DATE_EPOCH; null where it does not follow from the inputs. */
  epochS: number | null;
}

/** The content address of a step's run: two runs with the same key may share their outputs. */
export function stepKey(step: BuildStepConfig, inputs: StepInputs): Digest {
  return sha256(
    canonicalJson({
      format: CACHE_FORMAT,
      run: step.run,
      env: step.env,
      outputs: step.outputs,
      report: step.report,
      network: step.network,
      ...inputs,
      entries: treeDigest(inputs.entries),
    }),
  );
}

/** One digest for paths, modes and contents of a tree. */
export function treeDigest(entries: readonly TreeEntry[]): Digest {
  const lines = entries.map(({ path, type, mode, target, sha256: content }) =>
    canonicalJson([path, type, mode, target, content]),
  );
  return sha256(lines.join('\n'));
}

/** A step with network is only as fixed as its lockfile: without one its outputs are not kept. */
export function mayCache(step: BuildStepConfig, entries: readonly TreeEntry[]): boolean {
  if (!step.cache) return false;
  return !step.network || entries.some(({ path }) => LOCKFILES.has(path.slice(path.lastIndexOf('/') + 1)));
}

/** Seals index entries, so that only this installation can write one that counts. */
export interface Seal {
  sign(text: string): string;
  verify(text: string, mac: string): boolean;
}

export function makeSeal(key: Buffer): Seal {
  const sign = (text: string) => createHmac('sha256', key).update(text).digest('hex');
  return {
    sign,
    verify(text, mac) {
      const [expected, given] = [Buffer.from(sign(text)), Buffer.from(mac)];
      return expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

/** The seal of this data directory; its key is made on first use and stays where no step can read. */
export async function openSeal(dataDirectory: string, clock: Clock): Promise<Seal> {
  const directory = join(dataDirectory, 'keys');
  const path = join(directory, 'build-cache.key');
  const read = async () => makeSeal(Buffer.from((await readFile(path, 'utf8')).trim(), 'hex'));
  try {
    return await read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await createDurably(path, Buffer.from(clock.random(32)).toString('hex'));
  return read();
}
