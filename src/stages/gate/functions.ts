/**
 * The operators and functions policies may use, with their types. What is not here does not load: no floating point, no
 * bytes, no maps, no `has()` (a fact is there or the answer is no), no conversions that guess.
 */
export type ScalarKind = 'bool' | 'int' | 'string' | 'timestamp' | 'duration';

/** A type while it is checked; `max` bounds the length of texts and lists. */
export type ValueType =
  | { kind: Exclude<ScalarKind, 'string'> }
  | { kind: 'string'; max: number }
  | { kind: 'list'; of: ValueType; max: number };

export interface Overload {
  target?: ScalarKind | 'list';
  args: readonly (ScalarKind | 'list')[];
  result: ScalarKind;
  /** Length of a text result. */
  max?: number;
}

const ordered = (kind: ScalarKind): Overload => ({ args: [kind, kind], result: 'bool' });
const comparison = [ordered('int'), ordered('string'), ordered('timestamp'), ordered('duration')];
const arithmetic: Overload[] = [{ args: ['int', 'int'], result: 'int' }];
const onText: Overload[] = [{ target: 'string', args: ['string'], result: 'bool' }];
const ofTimestamp: Overload[] = [{ target: 'timestamp', args: [], result: 'int' }];

/** By the parser's name. `==`, `!=`, `in`, `&&`, `||`, `!`, `?:` and `+` have rules of their own in typing.ts. */
export const FUNCTIONS: ReadonlyMap<string, readonly Overload[]> = new Map([
  ['_<_', comparison],
  ['_<=_', comparison],
  ['_>_', comparison],
  ['_>=_', comparison],
  [
    '_-_',
    [
      ...arithmetic,
      { args: ['timestamp', 'timestamp'], result: 'duration' },
      { args: ['timestamp', 'duration'], result: 'timestamp' },
    ],
  ],
  ['_*_', arithmetic],
  ['_/_', arithmetic],
  ['_%_', arithmetic],
  ['-_', [{ args: ['int'], result: 'int' }]],
  [
    'size',
    [
      { args: ['string'], result: 'int' },
      { args: ['list'], result: 'int' },
      { target: 'string', args: [], result: 'int' },
      { target: 'list', args: [], result: 'int' },
    ],
  ],
  ['startsWith', onText],
  ['endsWith', onText],
  ['contains', onText],
  ['matches', onText],
  [
    'string',
    [
      { args: ['int'], result: 'string', max: 20 },
      { args: ['bool'], result: 'string', max: 5 },
    ],
  ],
  ['timestamp', [{ args: ['string'], result: 'timestamp' }]],
  ['duration', [{ args: ['string'], result: 'duration' }]],
  ['getFullYear', ofTimestamp],
  ['getMonth', ofTimestamp],
  ['getDate', ofTimestamp],
  ['getDayOfWeek', ofTimestamp],
  ['getHours', ofTimestamp],
  ['getMinutes', ofTimestamp],
]);

/** Macros over lists. */
export const MACROS = ['all', 'exists', 'exists_one', 'filter', 'map'] as const;

/** How an operator is written, for messages. */
export function written(name: string): string {
  return name.replaceAll('_', '').replace('@', '') || name;
}

export function describeType(type: ValueType): string {
  const names = {
    bool: 'true/false',
    int: 'a number',
    string: 'a text',
    timestamp: 'a time',
    duration: 'a duration',
  };
  return type.kind === 'list' ? 'a list' : names[type.kind];
}
