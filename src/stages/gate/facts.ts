/**
 * The facts a policy may speak about, with their types and bounds. The schema is closed: an expression that names anything
 * else does not load, and a value that does not fit its type counts as missing, never as something near it. There are no
 * floating-point facts, so NaN cannot reach a comparison.
 */
export type FactType =
  | { kind: 'bool' }
  /** Whole numbers, 0 to 2^53 - 1. */
  | { kind: 'int' }
  /** `max` in UTF-16 code units. */
  | { kind: 'string'; max: number }
  | { kind: 'list'; of: FactType; max: number }
  | { kind: 'object'; fields: Readonly<Record<string, FactType>> };

const bool = { kind: 'bool' } as const;
const int = { kind: 'int' } as const;
const string = (max: number) => ({ kind: 'string', max }) as const;
const object = <Fields extends Record<string, FactType>>(fields: Fields) =>
  ({ kind: 'object', fields }) as const;

/** Longest commit message that policies can read; a longer one is missing. */
export const MESSAGE_LIMIT = 16_384;
/** Most environments that `history.succeededIn` names. */
export const ENVIRONMENTS_LIMIT = 64;

const NAME = string(63);
const DIGEST = string(135);
const piece = { present: bool, verified: bool };
/** `problem`: why a piece that is there does not verify. */
const signed = { ...piece, key: string(255), problem: string(500) };

export const FACTS = object({
  artifact: object({ digest: DIGEST, repository: string(255), mediaType: string(255), sizeBytes: int }),
  commit: object({
    sha: string(64),
    author: string(1_024),
    signature: string(16),
    committedAt: string(32),
    message: string(MESSAGE_LIMIT),
  }),
  service: object({ name: NAME }),
  environment: object({ name: NAME, production: bool }),
  evidence: object({
    provenance: object({
      ...signed,
      builderId: string(1_024),
      repository: string(2_048),
      commit: string(64),
    }),
    sbom: object({ ...signed, components: int }),
    test: object({ ...signed, passed: int, failed: int }),
    scan: object({ ...signed, critical: int, high: int, databaseAgeS: int }),
    signature: object({ ...signed }),
  }),
  history: object({
    succeededIn: { kind: 'list', of: NAME, max: ENVIRONMENTS_LIMIT },
    rolledBackHere: bool,
  }),
  release: object({ number: int }),
});

type ValueOf<Type> = Type extends { kind: 'bool' }
  ? boolean
  : Type extends { kind: 'int' }
    ? number
    : Type extends { kind: 'string' }
      ? string
      : Type extends { kind: 'list'; of: infer Item }
        ? readonly ValueOf<Item>[]
        : Type extends { kind: 'object'; fields: infer Fields }
          ? { readonly [Key in keyof Fields]?: ValueOf<Fields[Key]> | undefined }
          : never;

/** Any fact may be absent: that is how "not known" is said. */
export type Facts = ValueOf<typeof FACTS>;

/** Root names, such as `commit`. */
export const ROOTS: Readonly<Record<string, FactType>> = FACTS.fields;

/** Lone surrogates have no UTF-8 form and NUL has no place in PostgreSQL: such a text could not be recorded as it was judged. */
export function fits(type: FactType, value: unknown): boolean {
  switch (type.kind) {
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    case 'string':
      return (
        typeof value === 'string' && value.length <= type.max && value.isWellFormed() && !value.includes('\0')
      );
    case 'list':
      return Array.isArray(value) && value.length <= type.max && value.every((item) => fits(type.of, item));
    case 'object':
      return isRecord(value);
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a value of `type` looks like, for people. */
export function typeName(type: FactType): string {
  switch (type.kind) {
    case 'bool':
      return 'true or false';
    case 'int':
      return 'a whole number from 0';
    case 'string':
      return `a text of at most ${type.max} characters`;
    case 'list':
      return `a list of at most ${type.max}, each ${typeName(type.of)}`;
    case 'object':
      return `a mapping of ${Object.keys(type.fields).join(', ')}`;
  }
}

/** The value at a path such as `['commit', 'sha']`; undefined when absent or when it does not fit. Own properties only. */
export function factAt(facts: unknown, path: readonly string[]): unknown {
  let type: FactType = FACTS;
  let value = facts;
  for (const name of path) {
    if (type.kind !== 'object' || !isRecord(value) || !Object.hasOwn(value, name)) return undefined;
    const next: FactType | undefined = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
    if (next === undefined) return undefined;
    type = next;
    value = value[name];
  }
  return fits(type, value) ? value : undefined;
}

/** The facts that are there and fit, nothing else: what policies see, and what is recorded. */
export function knownFacts(facts: unknown, type: FactType = FACTS): Record<string, unknown> {
  if (type.kind !== 'object' || !isRecord(facts)) return {};
  const known: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(type.fields)) {
    const value = Object.hasOwn(facts, name) ? facts[name] : undefined;
    if (inner.kind === 'object') known[name] = knownFacts(value, inner);
    else if (fits(inner, value)) known[name] = value;
  }
  return known;
}

export interface Unfit {
  path: string;
  expected: string;
  got: string;
}

/** Names in `facts` that the schema does not know, and values that do not fit: for the people who write policy tests. */
export function unfit(facts: unknown, type: FactType = FACTS, path = ''): Unfit[] {
  if (!fits(type, facts)) return [{ path, expected: typeName(type), got: gotName(type, facts) }];
  if (type.kind !== 'object' || !isRecord(facts)) return [];
  return Object.entries(facts).flatMap(([name, value]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const next = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
    if (next === undefined) {
      return [{ path: at, expected: `one of ${Object.keys(type.fields).join(', ')}`, got: `"${name}"` }];
    }
    return value === undefined ? [] : unfit(value, next, at);
  });
}

function gotName(type: FactType, value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  // YAML reads an unquoted 0000 or 12e3 as a number.
  if (typeof value === 'number') return type.kind === 'string' ? 'a number: put it in quotes' : String(value);
  return (
    { boolean: 'true/false', string: 'a text', object: 'a mapping' }[typeof value as string] ??
    'something else'
  );
}
