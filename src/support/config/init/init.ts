import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../../kernel/errors.ts';
import { parseServiceConfig } from '../service.ts';
import { detectProject } from './detect.ts';
import { lookAt } from './files.ts';
import { writeServiceYaml } from './write.ts';

export interface InitResult {
  path: string;
  text: string;
  /** What was found, and what to look at. */
  findings: readonly string[];
}

const FILE = 'slipway.yaml';

/** What `initServiceConfig` would write; the text always parses. */
export async function proposeServiceConfig(directory: string): Promise<InitResult> {
  const facts = await detectProject(await lookAt(directory));
  const text = writeServiceYaml(facts);
  const { diagnostics } = parseServiceConfig(FILE, text);
  if (diagnostics.length > 0) {
    throw new SlipwayError('internal', 'the proposed slipway.yaml does not parse', { diagnostics });
  }
  return { path: join(directory, FILE), text, findings: facts.findings };
}

/** Writes a first `slipway.yaml` for the project found in `directory`. Never overwrites: throws `invalid_state`. */
export async function initServiceConfig(directory: string): Promise<InitResult> {
  const proposed = await proposeServiceConfig(directory);
  try {
    await writeFile(proposed.path, proposed.text, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new SlipwayError('invalid_state', `there is a ${FILE} already; it stays as it is`, {
        hint: 'Edit it, or move it away first.',
      });
    }
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new SlipwayError('not_found', 'there is no such folder');
    throw error;
  }
  return proposed;
}
