import { usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { type JsonSink, openJsonSink } from './json.ts';
import { type Style, styleFor } from './style.ts';

/** How the caller wants results: `fields` null for all, a list for some. */
export interface Format {
  json: boolean;
  fields: readonly string[] | null;
  /** A bare `--json`: the fields are named on stderr after the result. */
  listFields: boolean;
  jq: string | null;
}

export const TEXT: Format = { json: false, fields: null, listFields: false, jq: null };

/** Results go to stdout, everything else to stderr. */
export interface Output {
  json: boolean;
  /** For text on stdout. */
  style: Style;
  /** The one result of a command: a whole object, or an array (never null) for lists. */
  result(value: object, text: string): Promise<void>;
  /** One of many results over time: NDJSON under --json, nothing otherwise. */
  event(value: object): Promise<void>;
  /** A line for the person, on stderr. */
  note(text: string): void;
  /** Ends what writes; names the fields after a bare --json. */
  finish(): Promise<void>;
}

export function createOutput(io: Io, format: Format, known: readonly string[]): Output {
  const sink: JsonSink | null = format.json ? openJsonSink(io, format.jq) : null;
  const pick = (value: object) => (format.fields === null ? value : select(value, format.fields));
  return {
    json: format.json,
    style: styleFor(io.stdout, io.env),
    async result(value, text) {
      if (sink) await sink.write(`${JSON.stringify(pick(value), null, 2)}\n`);
      else if (text !== '') io.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    async event(value) {
      await sink?.write(`${JSON.stringify(pick(value))}\n`);
    },
    note: (text) => io.stderr.write(`${text}\n`),
    async finish() {
      await sink?.end();
      if (format.listFields)
        io.stderr.write(`fields: ${known.join(', ')} (choose with --json=a,b; --json=* is all of them)\n`);
    },
  };
}

/** Only the fields asked for, in the order asked for; null where an object has none of that name. */
export function select(value: object, fields: readonly string[]): object {
  if (Array.isArray(value)) return value.map((item) => select(item as object, fields));
  const from = value as Record<string, unknown>;
  return Object.fromEntries(fields.map((field) => [field, from[field] ?? null]));
}

/**
 * Reads `--json[=fields]` and `--jq`. `asked` is undefined without the flag, '' for a bare one. Throws `usage` for a field
 * the command does not have, before anything is done.
 */
export function parseFormat(
  asked: string | undefined,
  jq: string | undefined,
  known: readonly string[],
): Format {
  if (asked === undefined && jq === undefined) return TEXT;
  const base = { json: true, jq: jq ?? null };
  if (asked === undefined || asked === '*') return { ...base, fields: null, listFields: false };
  if (asked === '') return { ...base, fields: null, listFields: jq === undefined };
  const fields = asked.split(',').map((field) => field.trim());
  const unknown = fields.find((field) => !known.includes(field));
  if (unknown !== undefined)
    throw usage(`--json has no field "${unknown}" here`, `fields: ${known.join(', ')}`);
  return { ...base, fields, listFields: false };
}
