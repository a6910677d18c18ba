import { type Document, parseAllDocuments } from 'yaml';
import type { Diagnostic, SourcePosition } from '../../kernel/errors.ts';
import { decodeText } from './encoding.ts';
import { MAX_DEPTH, MAX_DIAGNOSTICS, Reader, type YamlDocument } from './yaml-reader.ts';

/**
 * YAML 1.2 with positions, for files that strangers write: bounded in bytes, documents, depth, nodes and aliases, never
 * throwing. Keys are texts and appear once; tags, merge keys and other schemas than the core one are refused.
 */

const MAX_DOCUMENTS = 200;

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
