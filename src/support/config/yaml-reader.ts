import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type ParsedNode } from 'yaml';
import type { Diagnostic, SourcePosition } from '../../kernel/errors.ts';
import { clip, syntaxHint, syntaxMessage } from './yaml-syntax.ts';

export const MAX_DEPTH = 40;
const MAX_NODES = 20_000;
const MAX_ALIASES = 100;
export const MAX_DIAGNOSTICS = 50;
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

interface Place {
  key: number;
  value: number;
  written: string | null;
  children: Map<string, Place>;
}

/** Reads one document within its bounds; what is wrong is in `diagnostics`. */
export class Reader {
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
