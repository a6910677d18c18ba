import type { Diagnostic } from '../../kernel/errors.ts';
import type { Path, YamlDocument } from './yaml-reader.ts';

/** A document whose shape is right, and where it stands. */
export interface Placed<Document> {
  value: Document;
  at: YamlDocument;
}

export type Problems = Diagnostic[];

export function problem(
  at: YamlDocument,
  path: Path,
  message: string,
  hint: string,
  part: 'key' | 'value' = 'value',
): Diagnostic {
  return { path: path.join('.'), message, hint, position: at.locate(path, part) };
}
