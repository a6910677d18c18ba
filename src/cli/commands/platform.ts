import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Diagnostic, isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { ApiError, EXIT, usage } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Run } from '../spec.ts';

const MAX_FILES = 500;
const MAX_BYTES = 4_000_000;

export const apply: Run = async (context, input) => {
  if (input.flag('dry-run')) return validate(context, input);
  const { output } = context;
  const folder = input.args[0] ?? '';
  const files = await readFolder(context.io, folder);
  const api = await context.api();
  const applied = await api
    .call(api.client.POST('/v1/platform', { body: { files, commit: input.text('commit') ?? null } }))
    .catch((error: unknown) => {
      throw inFolder(error, folder);
    });
  const words = applied.changed
    ? 'the platform is in force'
    : 'nothing changed: this platform is in force already';
  await output.result(applied, `${words} (${applied.digest})`);
  return EXIT.ok;
};

export const validate: Run = async (context, { args }) => {
  const { output } = context;
  const folder = args[0] ?? '';
  const files = await readFolder(context.io, folder);
  const api = await context.api();
  const answer = await api.call(api.client.POST('/v1/platform/validate', { body: { files } }));
  const diagnostics = answer.diagnostics.map((diagnostic) => placed(diagnostic as Diagnostic, folder));
  if (!answer.valid && !output.json) {
    throw new SlipwayError(
      'invalid_config',
      `${folder} has ${diagnostics.length} error${diagnostics.length === 1 ? '' : 's'}`,
      {
        diagnostics,
        hint: `mend the places above, then: slipway platform validate ${folder}`,
      },
    );
  }
  await output.result(
    { valid: answer.valid, diagnostics },
    `${folder}: ${Object.keys(files).length} files, no errors`,
  );
  return answer.valid ? EXIT.ok : EXIT.usage;
};

/** All YAML files below the folder, by their path in it. Hidden folders are left out; links are not followed. */
async function readFolder(io: Io, folder: string): Promise<Record<string, string>> {
  const root = resolve(io.cwd, folder);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT')
        throw new SlipwayError('not_found', `there is no folder ${folder}`, {
          hint: 'give the folder with environments.yaml and the like',
        });
      throw usage(`${folder} cannot be read as a folder: ${error.code}`);
    },
  );
  const paths = entries
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll('\\', '/'),
    )
    .filter((path) => !path.split('/').some((part) => part.startsWith('.') || part === 'node_modules'))
    .sort();
  if (paths.length === 0)
    throw usage(`${folder} holds no YAML files`, 'give the folder with environments.yaml and the like');
  if (paths.length > MAX_FILES) throw usage(`${folder} holds more than ${MAX_FILES} YAML files`);
  const files: Record<string, string> = {};
  let size = 0;
  for (const path of paths) {
    const text = await readFile(join(root, path), 'utf8');
    size += text.length;
    if (size > MAX_BYTES)
      throw usage(`the YAML files of ${folder} are larger than ${MAX_BYTES} bytes together`);
    files[path] = text;
  }
  return files;
}

/** The server knows files by their path in the folder; an editor wants the path from here. */
function placed(diagnostic: Diagnostic, folder: string): Diagnostic {
  const { position } = diagnostic;
  return position
    ? { ...diagnostic, position: { ...position, file: join(folder, position.file) } }
    : diagnostic;
}

function inFolder(error: unknown, folder: string): unknown {
  if (!isSlipwayError(error) || error.diagnostics.length === 0) return error;
  const { requestId, docs } = error instanceof ApiError ? error : { requestId: null, docs: null };
  return new ApiError(error.code, error.message, {
    hint: error.hint ?? `mend the places above, then: slipway platform apply ${folder}`,
    diagnostics: error.diagnostics.map((diagnostic) => placed(diagnostic, folder)),
    requestId,
    docs,
  });
}
