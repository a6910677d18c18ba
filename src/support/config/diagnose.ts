import { z } from 'zod';
import type { Diagnostic } from '../../kernel/errors.ts';
import { nearest } from './suggest.ts';
import type { Path, YamlDocument } from './yaml-reader.ts';
import { clip } from './yaml-syntax.ts';

/**
 * Turns what zod found into diagnostics a person can act on: position, what was expected, what stands there, the
 * description of the field as hint. What was expected is read from the published JSON Schema, so both say the same.
 */

interface JsonSchema {
  type?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
}

type Issue = z.core.$ZodIssue;

const schemas = new WeakMap<z.ZodType, JsonSchema>();

export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  let found = schemas.get(schema);
  if (!found) {
    found = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }) as JsonSchema;
    schemas.set(schema, found);
  }
  return found;
}

/** Parses one document; on failure says why, in the order of the file. */
export function checkDocument<Schema extends z.ZodType>(
  schema: Schema,
  document: YamlDocument,
): { value: z.output<Schema> } | { diagnostics: Diagnostic[] } {
  const parsed = schema.safeParse(document.value);
  if (parsed.success) return { value: parsed.data };
  const context = { document, schema: jsonSchemaOf(schema) };
  const diagnostics = parsed.error.issues.flatMap((issue) => explain(context, issue, []));
  return { diagnostics: inFileOrder(withoutEchoes(diagnostics)) };
}

/** A misspelt key is reported once, not also as the missing key it was meant to be. */
function withoutEchoes(diagnostics: Diagnostic[]): Diagnostic[] {
  const meant = new Set(
    diagnostics.flatMap(({ path, message, hint }) => {
      const [, key] = /^Did you mean "(.+)"\?$/.exec(hint ?? '') ?? [];
      return key && message.startsWith('unknown key') ? [path.slice(0, path.lastIndexOf('.') + 1) + key] : [];
    }),
  );
  return diagnostics.filter(({ path, message }) => !message.startsWith('missing key') || !meant.has(path));
}

export function inFileOrder(diagnostics: Diagnostic[]): Diagnostic[] {
  return diagnostics.sort((a, b) => {
    const [p, q] = [a.position, b.position];
    if (!p || !q) return p ? -1 : q ? 1 : 0;
    return p.file < q.file ? -1 : p.file > q.file ? 1 : p.line - q.line || p.column - q.column;
  });
}

interface Context {
  document: YamlDocument;
  schema: JsonSchema;
}

function explain(context: Context, issue: Issue, prefix: Path): Diagnostic[] {
  const path = [...prefix, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(context, [...path, key]));
    case 'invalid_union':
      return explainUnion(context, issue, path);
    case 'invalid_key':
      return [atKey(context, path, issue.issues[0]?.message ?? 'expected another key')];
    case 'invalid_type': {
      if (valueAt(context.document.value, path) === undefined) return [missingKey(context, path)];
      const own = issue.message.startsWith('Invalid input')
        ? `expected ${typeName(issue.expected)}`
        : issue.message;
      const field = describe(context, path) ?? '';
      return [wrong(context, path, own, adviceOnType(issue.expected, context.document.written(path), field))];
    }
    case 'invalid_value': {
      if (valueAt(context.document.value, path) === undefined) return [missingKey(context, path)];
      return [oneOf(context, path, issue.values.map(String))];
    }
    case 'too_small':
      return [wrong(context, path, own(issue.message) ?? `expected at least ${issue.minimum}`)];
    case 'too_big':
      return [wrong(context, path, own(issue.message) ?? `expected at most ${issue.maximum}`)];
    default:
      return [wrong(context, path, issue.message)];
  }
}

/** A message the schema gave itself, rather than zod's. */
function own(message: string): string | null {
  return message.startsWith('expected') ? message : null;
}

/** The branch whose kind of value it is explains best; without one, every kind is named. */
function explainUnion(context: Context, issue: z.core.$ZodIssueInvalidUnion, path: Path): Diagnostic[] {
  const kinds = issue.errors.filter(
    (branch) => !branch.some((inner) => inner.path.length === 0 && isKind(inner)),
  );
  const branch = kinds.length > 0 ? kinds[0] : undefined;
  if (branch) return branch.flatMap((inner) => explain(context, inner, path));
  const expected = issue.errors.map(([inner]) =>
    inner?.code === 'invalid_type'
      ? typeName(inner.expected)
      : inner?.code === 'invalid_value'
        ? inner.values.join(' or ')
        : 'another value',
  );
  return [wrong(context, path, `expected ${[...new Set(expected)].join(' or ')}`)];
}

function isKind(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function unknownKey(context: Context, path: Path): Diagnostic {
  const key = String(path.at(-1));
  const known = schemasAt(context.schema, path.slice(0, -1)).flatMap((schema) =>
    Object.keys(schema.properties ?? {}),
  );
  const guess = nearest(key, known);
  const hint =
    key === '<<'
      ? 'Merge keys are not read; write the keys out.'
      : guess
        ? `Did you mean "${guess}"?`
        : `Known keys: ${known.join(', ')}.`;
  return diagnostic(context, path, `unknown key "${clip(key)}"`, hint, 'key');
}

function missingKey(context: Context, path: Path): Diagnostic {
  const description = schemasAt(context.schema, path).find((schema) => schema.description)?.description;
  const parent = path.slice(0, -1);
  const where = parent.length > 0 ? ` in ${label(parent)}` : '';
  return diagnostic(
    context,
    path,
    `missing key "${String(path.at(-1))}"${where}`,
    sentence(description),
    'key',
  );
}

function atKey(context: Context, path: Path, message: string): Diagnostic {
  return diagnostic(
    context,
    path,
    `key "${clip(String(path.at(-1)))}": ${message}`,
    describe(context, path.slice(0, -1)),
    'key',
  );
}

function oneOf(context: Context, path: Path, values: string[]): Diagnostic {
  const value = valueAt(context.document.value, path);
  const guess = typeof value === 'string' ? nearest(value, values) : null;
  const expected = values.length === 1 ? `expected ${values[0]}` : `expected one of ${values.join(', ')}`;
  return wrong(context, path, expected, guess && values.length > 1 ? `Did you mean "${guess}"?` : undefined);
}

function wrong(context: Context, path: Path, message: string, advice?: string): Diagnostic {
  const got = shown(valueAt(context.document.value, path), context.document.written(path));
  const subject = path.length > 0 ? `${label(path)}: ` : '';
  const hint = [advice, describe(context, path)].filter(Boolean).join(' ');
  return diagnostic(
    context,
    path,
    `${subject}${message}${got ? `, got ${got}` : ''}`,
    hint || undefined,
    'value',
  );
}

function describe(context: Context, path: Path): string | undefined {
  return sentence(schemasAt(context.schema, path).find((schema) => schema.description)?.description);
}

function diagnostic(
  context: Context,
  path: Path,
  message: string,
  hint: string | undefined,
  part: 'key' | 'value',
): Diagnostic {
  return {
    path: pathText(path),
    message,
    position: context.document.locate(path, part),
    ...(hint === undefined ? {} : { hint }),
  };
}

function schemasAt(schema: JsonSchema, path: Path): JsonSchema[] {
  let here = [schema, ...(schema.anyOf ?? [])];
  for (const part of path) {
    here = here.flatMap((at) => {
      const next =
        typeof part === 'number'
          ? at.items
          : at.properties && Object.hasOwn(at.properties, String(part))
            ? at.properties[String(part)]
            : typeof at.additionalProperties === 'object'
              ? at.additionalProperties
              : undefined;
      return next ? [next, ...(next.anyOf ?? [])] : [];
    });
  }
  return here;
}

export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const part of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = (here as Record<PropertyKey, unknown>)[part];
  }
  return here;
}

/** `build.steps[0].run` */
export function pathText(path: Path): string {
  let out = '';
  for (const part of path)
    out += typeof part === 'number' ? `[${part}]` : `${out ? '.' : ''}${clip(String(part))}`;
  return out;
}

/** The last named key and what follows it. */
function label(path: Path): string {
  const last = path.findLastIndex((part) => typeof part === 'string');
  return pathText(path.slice(Math.max(0, last)));
}

function sentence(description: string | undefined): string | undefined {
  return description === undefined ? undefined : `${description}.`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of keys to values',
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function shown(value: unknown, written: string | null): string {
  if (value === undefined) return '';
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? `"${clip(value)}"` : clip(written ?? String(value));
}

function adviceOnType(expected: string, written: string | null, field: string): string | undefined {
  if (expected === 'string' && written !== null && /^\d+$/.test(written)) {
    if (field.includes('(a duration')) return `Add the unit: ${written}s.`;
    if (field.includes('(a percentage')) return `Write ${written}%.`;
    if (field.includes('(a size')) return `Add the unit: ${written}Mi.`;
  }
  if (expected === 'string' && written !== null && written !== '')
    return `Put it in quotes: "${clip(written, 30)}".`;
  if (expected === 'boolean' && written !== null) {
    if (/^(?:yes|on|y)$/i.test(written)) return 'Write true.';
    if (/^(?:no|off|n)$/i.test(written)) return 'Write false.';
  }
  if (expected === 'array' && written !== null)
    return `Write a list: [${clip(written, 30).split(' ').join(', ')}].`;
  if (expected === 'array') return 'Write a list: one "- item" a line.';
  return undefined;
}
