import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { formatDiagnostic, SlipwayError } from '../../kernel/errors.ts';
import { EXIT, usage } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import type { Run } from '../spec.ts';

export const init: Run = async ({ io, local, output }, { args, flag }) => {
  const folder = resolve(io.cwd, args[0] ?? '.');
  const dryRun = flag('dry-run');
  const { path, text, findings } = await local.init(folder, { dryRun });
  for (const finding of findings) output.note(oneLine(finding));
  const shown = relative(io.cwd, path) || path;
  const value = { path, text, findings, written: !dryRun };
  await output.result(value, dryRun ? text : `wrote ${shown}`);
  if (!dryRun) output.note('next: commit it, then: slipway register <repository>');
  return EXIT.ok;
};

const MAX_CONFIG_BYTES = 1_048_576;

export const validate: Run = async ({ io, local, output }, { args }) => {
  const file = args[0] ?? 'slipway.yaml';
  const content = await readFile(resolve(io.cwd, file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new SlipwayError('not_found', `there is no file ${file}`, {
        hint: 'write a first one with: slipway init',
      });
    throw usage(`${file} cannot be read: ${error.code}`);
  });
  if (content.length > MAX_CONFIG_BYTES) throw usage(`${file} is longer than 1 MiB`);
  const { config, diagnostics } = await local.readServiceConfig(file, content);
  if (config === null) {
    if (!output.json)
      throw new SlipwayError('invalid_config', `${file} has errors`, {
        diagnostics,
        hint: 'mend the places above, then: slipway validate',
      });
    await output.result({ valid: false, diagnostics }, '');
    return EXIT.usage;
  }
  const text = `${file}: ${config.name}, ${config.build.steps.length} build steps\n${diagnostics.map(formatDiagnostic).join('\n')}`;
  await output.result({ valid: true, diagnostics }, text.trimEnd());
  return EXIT.ok;
};
