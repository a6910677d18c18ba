import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  parseAllDocuments,
} from 'yaml';
import type { Diagnostic, SourcePosition } from '../../kernel/errors.ts';
import { decodeText } from './encoding.ts';

/**
 * YAML 1.2 with positions, for files that strangers write: bounded in bytes, documents, depth, nodes and aliases, never
 * throwing. Keys are texts and appear once; tags, merge keys and other schemas than the core one are refused.
 */

const MAX_DOCUMENTS = 200;
const MAX_DEPTH = 40;
const MAX_NODES = 20_000;
const MAX_ALIASES = 100;
const MAX_DIAGNOSTICS = 50;
/** After a syntax error the parser is lost; what it says later misleads. */
const MAX_SYNTAX_ERRORS = 3;

export type Path = readonly PropertyKey[];

export interface YamlDocument {
  /** Plain JSON: null, booleans, finite numbers, texts, arrays, objects. */
  value: unknown;
  /** Where the path stands, or the nearest thing above it that exists. `key` asks for the key rather than its value. */
  locate(path: Path, part?: 'key' | 'value'): SourcePosition;
  /** The scalar as it was written, for hints; null when the path is no scalar. */
  written(path: Path): string | null;
}

export interface YamlFile {
  documents: YamlDocument[];
  diagnostics: Diagnostic[];
}

export function readYaml(file: string, content: string | Uint8Array): YamlFile {
  const decoded = decodeText(file, content);
  if ('problem' in decoded) return { documents: [], diagnostics: [decoded.problem] };
  const at = positions(file, decoded.text);
  const deep = tooDeep(decoded.text);
  let parsed: Document.Parsed[];
  try {
    if (deep !== null) throw new RangeError('depth');
    const all = parseAllDocuments(decoded.text, {
      schema: 'core',
      version: '1.2',
      merge: false,
      strict: true,
      // The library compares every pair of keys; `Reader` finds duplicates in linear time.
      uniqueKeys: false,
      resolveKnownTags: false,
      prettyErrors: false,
      logLevel: 'silent',
    });
    parsed = Array.isArray(all) ? all : [];
  } catch {
    const message = `the file nests more than ${MAX_DEPTH} levels deep`;
    const position = at(deep ?? 0);
    return { documents: [], diagnostics: [{ path: file, message, hint: 'Flatten it.', position }] };
  }
  const result: YamlFile = { documents: [], diagnostics: [] };
  if (parsed.length > MAX_DOCUMENTS) {
    const message = `the file holds more than ${MAX_DOCUMENTS} documents`;
    result.diagnostics.push({ path: file, message, hint: 'Split it into several files.', position: at(0) });
    return result;
  }
  for (const document of parsed) {
    const reader = new Reader(file, at);
    const read = reader.document(document);
    result.diagnostics.push(...reader.diagnostics);
    if (read && reader.diagnostics.length === 0) result.documents.push(read);
  }
  result.diagnostics.splice(MAX_DIAGNOSTICS);
  return result;
}

/** Offset where brackets are open beyond any bound; the library's own recursion would overflow the stack. */
function tooDeep(text: string): number | null {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x5b || c === 0x7b) depth++;
    else if (c === 0x5d || c === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > 500) return i;
  }
  return null;
}

/** Lines and columns of offsets. The library's own counter misses line ends inside broken tokens. */
function positions(file: string, text: string): (offset: number) => SourcePosition {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const bounded = Math.max(0, Math.min(offset, text.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= bounded) low = middle;
      else high = middle - 1;
    }
    return { file, line: low + 1, column: bounded - starts[low]! + 1 };
  };
}

interface Place {
  key: number;
  value: number;
  written: string | null;
  children: Map<string, Place>;
}

class Reader {
  readonly diagnostics: Diagnostic[] = [];
  private readonly file: string;
  private readonly at: (offset: number) => SourcePosition;
  private nodes = 0;
  private aliases = 0;
  private readonly anchors = new Map<string, Node>();
  private readonly open = new Set<Node>();

  constructor(file: string, at: (offset: number) => SourcePosition) {
    this.file = file;
    this.at = at;
  }

  document(document: Document.Parsed): YamlDocument | null {
    if (document.errors.some((error) => error.message.includes('call stack'))) {
      this.problem(0, `nested more than ${MAX_DEPTH} levels deep`, 'Flatten it.');
      return null;
    }
    for (const error of [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_ERRORS)) {
      this.problem(error.pos[0], syntaxMessage(error.code, error.message), syntaxHint(error.code));
    }
    const directive = document.directives?.yaml;
    if (directive?.explicit && directive.version !== '1.2') {
      this.problem(0, `YAML ${directive.version} is not read; expected YAML 1.2`, 'Remove the %YAML line.');
    }
    if (this.diagnostics.length > 0) return null;
    const contents = document.contents as ParsedNode | null;
    if (contents === null || (isScalar(contents) && contents.value === null && contents.source === ''))
      return null;
    const root: Place = {
      key: contents.range[0],
      value: contents.range[0],
      written: null,
      children: new Map(),
    };
    const value = this.value(contents, root, 0);
    return {
      value,
      locate: (path, part = 'value') => {
        const { place, exact } = find(root, path);
        return this.at(part === 'key' || !exact ? place.key : place.value);
      },
      written: (path) => {
        const { place, exact } = find(root, path);
        return exact ? place.written : null;
      },
    };
  }

  private problem(offset: number, message: string, hint: string): undefined {
    if (this.diagnostics.length < MAX_DIAGNOSTICS) {
      this.diagnostics.push({ path: this.file, message, hint, position: this.at(offset) });
    }
    return undefined;
  }

  private value(node: Node | null, place: Place, depth: number): unknown {
    const offset = node?.range?.[0] ?? place.key;
    if (this.nodes > MAX_NODES) return undefined;
    if (++this.nodes > MAX_NODES) {
      return this.problem(
        offset,
        `the document has more than ${MAX_NODES} values`,
        'Aliases count each time they are used.',
      );
    }
    if (depth > MAX_DEPTH)
      return this.problem(offset, `nested more than ${MAX_DEPTH} levels deep`, 'Flatten it.');
    if (node === null) return null;
    if (isAlias(node)) return this.alias(node.source, offset, place, depth);
    if ('anchor' in node && typeof node.anchor === 'string') this.anchors.set(node.anchor, node);
    if (isScalar(node))
      return this.scalar(node.value, typeof node.source === 'string' ? node.source : null, offset, place);
    this.open.add(node);
    try {
      if (isSeq(node))
        return node.items.map((item, i) => this.child(item as Node | null, place, String(i), null, depth));
      if (isMap(node)) return this.map(node.items, place, depth, offset);
    } finally {
      this.open.delete(node);
    }
    return this.problem(
      offset,
      'this kind of value is not read',
      'Use texts, numbers, true, false, lists and mappings.',
    );
  }

  /** `keyOffset` is null for an item of a list. */
  private child(
    node: Node | null,
    parent: Place,
    key: string,
    keyOffset: number | null,
    depth: number,
  ): unknown {
    const value = node?.range?.[0] ?? keyOffset ?? parent.value;
    const place: Place = { key: keyOffset ?? value, value, written: null, children: new Map() };
    parent.children.set(key, place);
    return this.value(node, place, depth + 1);
  }

  private map(
    pairs: readonly { key: unknown; value: unknown }[],
    place: Place,
    depth: number,
    offset: number,
  ): unknown {
    const result: Record<string, unknown> = {};
    const seen = new Map<string, number>();
    for (const pair of pairs) {
      const key = pair.key as Node | null;
      const keyOffset = key?.range?.[0] ?? offset;
      const text = isScalar(key) && !key.anchor ? key.value : undefined;
      if (typeof text !== 'string') {
        const written = isScalar(key) && key.source ? ` "${key.source}"` : '';
        this.problem(
          keyOffset,
          `expected a text as key${written ? `, got${written}` : ''}`,
          'Put the key in quotes.',
        );
        continue;
      }
      if (text === '__proto__' || !isPlainText(text)) {
        this.problem(keyOffset, 'this key is not allowed', 'Choose another name.');
        continue;
      }
      const first = seen.get(text);
      if (first !== undefined) {
        const hint = `It stands first in line ${this.at(first).line}; keep one of them.`;
        this.problem(keyOffset, `the key "${clip(text)}" stands twice`, hint);
        continue;
      }
      seen.set(text, keyOffset);
      result[text] = this.child(pair.value as Node | null, place, text, keyOffset, depth);
    }
    return result;
  }

  private scalar(value: unknown, source: string | null, offset: number, place: Place): unknown {
    place.written = source;
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'string') {
      if (isPlainText(value)) return value;
      return this.problem(
        offset,
        'the text holds a character that cannot be stored',
        'Remove the NUL or lone surrogate.',
      );
    }
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    return this.problem(
      offset,
      `the value ${clip(String(source))} is not read`,
      'Write a plain number, or put it in quotes.',
    );
  }

  private alias(name: string, offset: number, place: Place, depth: number): unknown {
    if (++this.aliases > MAX_ALIASES) {
      if (this.aliases > MAX_ALIASES + 1) return undefined;
      return this.problem(offset, `more than ${MAX_ALIASES} aliases`, 'Write the values out.');
    }
    const target = this.anchors.get(name);
    if (!target)
      return this.problem(
        offset,
        `the alias *${clip(name)} has no anchor before it`,
        `Define &${clip(name)} first.`,
      );
    if (this.open.has(target)) {
      return this.problem(offset, `the alias *${clip(name)} contains itself`, 'Write the value out.');
    }
    return this.value(target, place, depth);
  }
}

/** Escapes in quotes can make what no file and no database holds. */
function isPlainText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function find(root: Place, path: Path): { place: Place; exact: boolean } {
  let place = root;
  for (const part of path) {
    const next = place.children.get(String(part));
    if (!next) return { place, exact: false };
    place = next;
  }
  return { place, exact: true };
}

/** Texts from the file that go into messages are short and cannot forge lines. */
export function clip(text: string, length = 60): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > length ? `${flat.slice(0, length - 1)}…` : flat;
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab indents here; expected spaces';
  if (code === 'TAG_RESOLVE_FAILED') return 'this tag is not read; expected a plain value';
  return `not valid YAML: ${clip(message.split('\n')[0] ?? message, 160)}`;
}

function syntaxHint(code: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'Indent with spaces.';
    case 'BAD_INDENT':
    case 'MISSING_CHAR':
      return 'Check the indentation and that every quote and bracket is closed.';
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'A text with ": " needs quotes; keys of one mapping stand in one column.';
    case 'TAG_RESOLVE_FAILED':
      return 'Remove the "!" tag.';
    default:
      return 'Check quotes, brackets and indentation near here.';
  }
}
