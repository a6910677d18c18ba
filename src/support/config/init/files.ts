import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A look at a project's files, bounded in number, depth and size; whatever cannot be read is not there. */
export interface ProjectFiles {
  directory: string;
  /** Relative paths of regular files, sorted. */
  paths: readonly string[];
  /** Text of a file; null when it is missing or too large. */
  read(path: string): Promise<string | null>;
}

const MAX_FILES = 3000;
const MAX_DEPTH = 8;
const MAX_BYTES = 262_144;
const SKIPPED = new Set(['node_modules', 'vendor', 'target', '__pycache__', 'coverage', 'venv']);

export async function lookAt(directory: string): Promise<ProjectFiles> {
  const paths: string[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    const entries = await readdir(join(directory, below), { withFileTypes: true }).catch(() => []);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (paths.length >= MAX_FILES || entry.name.startsWith('.') || SKIPPED.has(entry.name)) continue;
      if (!isPrintable(entry.name) || entry.name.includes('\\')) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isFile()) paths.push(path);
      else if (entry.isDirectory() && depth < MAX_DEPTH) await walk(path, depth + 1);
    }
  };
  await walk('', 0);
  return { directory, paths: paths.sort(), read: (path) => readBounded(join(directory, path)) };
}

/** Only such texts of a project may go into a configuration file. */
export function isPrintable(text: string): boolean {
  return !/[\p{Cc}\p{Surrogate}\uFFFD-\uFFFF\u202A-\u202E\u2066-\u2069]/u.test(text);
}

async function readBounded(path: string): Promise<string | null> {
  const handle = await open(path, 'r').catch(() => null);
  if (!handle) return null;
  try {
    const found = await handle.stat();
    if (!found.isFile() || found.size > MAX_BYTES) return null;
    return await handle.readFile('utf8');
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}
