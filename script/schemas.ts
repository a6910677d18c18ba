import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './lib/generate/files.ts';

/** `node script/schemas.ts`: writes every generated file anew and says which changed. */
const root = fileURLToPath(new URL('..', import.meta.url));
for (const [path, content] of await generatedFiles()) {
  const absolute = join(root, path);
  if ((await readFile(absolute, 'utf8').catch(() => null)) === content) continue;
  await mkdir(dirname(absolute), { recursive: true });
  await writeFile(absolute, content);
  process.stdout.write(`${path}\n`);
}
