import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'vite';

/** The tree the laws are about, parsed once a process. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Folders with source of the project; examples/shop is a service of its own, with its own rules. */
const FOLDERS = ['src', 'web', 'sim', 'bench', 'script', 'test', 'examples/platform'];
const NOT_SOURCE = new Set(['node_modules', 'dist', '.slipway', '.git', 'coverage']);

export interface Node {
  type: string;
  start: number;
  end: number;
  readonly [member: string]: unknown;
}

export interface SourceFile {
  /** Relative to the root, with `/`. */
  path: string;
  text: string;
  program: Node;
  comments: readonly { value: string; start: number }[];
  imports: readonly Import[];
}

export interface Import {
  /** Path relative to the root for a file of ours, else the specifier as written. */
  target: string;
  own: boolean;
  line: number;
  /** Names types alone: nothing of it is loaded. */
  typeOnly: boolean;
}

let parsed: SourceFile[] | undefined;

/** Every TypeScript file of the project. */
export function sourceFiles(): readonly SourceFile[] {
  parsed ??= FOLDERS.flatMap((folder) => list(join(ROOT, folder)))
    .filter((path) => /\.(ts|tsx|mts)$/.test(path))
    .map((path) => parse(relative(ROOT, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')));
  return parsed;
}

/** Every file below `folder`, absolute, sorted; absent folders are empty. */
export function list(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return NOT_SOURCE.has(entry.name) ? [] : list(path);
      return entry.isFile() ? [path] : [];
    });
}

export function parse(path: string, text: string): SourceFile {
  const { program, comments, errors } = parseSync(path, text, { lang: path.endsWith('x') ? 'tsx' : 'ts' });
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`);
  const root = program as unknown as Node;
  const imports: Import[] = [];
  walk(root, (node) => {
    const specifier = specifierOf(node);
    if (specifier === null) return;
    const own = specifier.startsWith('.');
    const target = own ? join(dirname(path), specifier).replaceAll('\\', '/') : specifier;
    imports.push({ target, own, line: lineOf(text, node.start), typeOnly: isTypeOnly(node) });
  });
  return { path, text, program: root, comments, imports };
}

/** What an import of any form names: static, dynamic, re-export, type; null for other nodes. Not a literal: `?`. */
function specifierOf(node: Node): string | null {
  const literal = (value: unknown): string | null =>
    typeof value === 'object' && value !== null && typeof (value as { value?: unknown }).value === 'string'
      ? (value as { value: string }).value
      : null;
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
      return literal(node.source);
    case 'ImportExpression':
      return literal(node.source) ?? '?';
    case 'TSImportType':
      return literal(node.source) ?? literal((node.argument as Node | undefined)?.literal) ?? '?';
    default:
      return null;
  }
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type') return true;
  const names = (node.specifiers ?? []) as readonly Node[];
  return names.length > 0 && names.every((name) => name.importKind === 'type' || name.exportKind === 'type');
}

export function walk(node: Node, visit: (node: Node, parents: readonly Node[]) => void): void {
  const step = (current: Node, parents: readonly Node[]): void => {
    visit(current, parents);
    const below = [...parents, current];
    for (const member of Object.values(current)) {
      for (const child of Array.isArray(member) ? member : [member]) {
        if (isNode(child)) step(child, below);
      }
    }
  };
  step(node, []);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Tests, and what only tests and benches use. */
export function isTest(path: string): boolean {
  return /\.test\.tsx?$|(^|[/.-])testing([/.-]|$)|^test\/|^bench\/|^sim\//.test(path);
}
