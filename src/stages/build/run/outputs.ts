import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildStepConfig } from '../../../kernel/config.ts';
import { SlipwayError } from '../../../kernel/errors.ts';
import { compileGlob, matchesGlob } from '../glob.ts';
import { maskAll } from '../logs/mask.ts';
import { parseJunit } from '../reports/junit.ts';
import { parseTap } from '../reports/tap.ts';
import { MAX_REPORT_BYTES, type TestReport } from '../reports/types.ts';
import { ancestorPaths, type TreeEntry } from '../tree/entry.ts';
import { walkTree } from '../tree/walk.ts';

/** The declared outputs in a step's tree. Each declaration must have taken something, else it is a mistake worth a stop. */
export async function collectOutputs(step: BuildStepConfig, tree: string): Promise<TreeEntry[]> {
  if (step.outputs.length === 0) return [];
  const globs = step.outputs.map(compileGlob);
  const entries = await walkTree(tree, { globs, unlock: true });
  for (const [index, glob] of globs.entries()) {
    if (entries.some(({ path }) => matchesGlob(glob, path))) continue;
    throw new SlipwayError('step_failed', `step ${step.name} ended well but left no ${step.outputs[index]}`, {
      hint: 'correct its outputs, or the command that should make them',
    });
  }
  return entries;
}

/**
 * Reads the test report a step wrote; null when it wrote none. The path is the author's and the file a stranger's: no
 * symlink is followed on the way, nothing but a regular file is read.
 */
export async function readReport(
  step: BuildStepConfig,
  tree: string,
  secrets: readonly string[],
): Promise<TestReport | null> {
  if (!step.report) return null;
  const { format, path } = step.report;
  const text = await readRegularFile(tree, path);
  if (text === null) return null;
  const counts = format === 'junit' ? parseJunit(text) : parseTap(text);
  const failedNames = counts.failedNames.map((name) => maskAll(name, secrets));
  return { step: step.name, format, ...counts, failedNames };
}

async function readRegularFile(tree: string, path: string): Promise<string | null> {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new SlipwayError('invalid_config', `the report path ${path} leaves the repository`);
  const clean = parts.join('/');
  for (const ancestor of ancestorPaths(clean)) {
    const found = await lstat(join(tree, ancestor)).catch(() => null);
    if (!found?.isDirectory()) return null;
  }
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(join(tree, clean), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return null;
    if (stat.size > MAX_REPORT_BYTES) {
      throw new SlipwayError(
        'payload_too_large',
        `the test report ${path} is larger than ${MAX_REPORT_BYTES} bytes`,
      );
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
