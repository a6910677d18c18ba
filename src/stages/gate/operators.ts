import { describeType, type ValueType } from './functions.ts';

/** Longest text an expression may make. */
export const MAX_TEXT = 65_536;

/** What is known of a part of an expression. */
export interface Node {
  type: ValueType;
  cost: number;
}

/** Thrown while an expression is checked; carries the place of the problem. */
export class Problem extends Error {
  readonly offset: number;
  readonly hint: string | undefined;
  constructor(offset: number, message: string, hint?: string) {
    super(message);
    this.offset = offset;
    this.hint = hint;
  }
}

/** Longest a value can be, in characters over all its items. */
export function lengthOf(type: ValueType): number {
  if (type.kind === 'string') return type.max;
  return type.kind === 'list' ? type.max * (1 + lengthOf(type.of)) : 1;
}

/** Rules of the operators that take more than one type. */
export type Special = (offset: number, nodes: readonly Node[], receiver: Node | undefined) => Node;

function expectBool(offset: number, nodes: readonly Node[], operator: string): void {
  const wrong = nodes.find(({ type }) => type.kind !== 'bool');
  if (wrong)
    throw new Problem(offset, `"${operator}" needs true/false on each side, got ${describeType(wrong.type)}`);
}

const logical =
  (operator: string): Special =>
  (offset, nodes) => {
    expectBool(offset, nodes, operator);
    return { type: { kind: 'bool' }, cost: 0 };
  };

const equality: Special = (offset, [left, right]) => {
  // Other CEL implementations answer false for unlike types; here it is a mistake that must not wait for production.
  if (!left || !right || !alike(left.type, right.type)) {
    throw new Problem(
      offset,
      `${left && describeType(left.type)} never equals ${right && describeType(right.type)}`,
    );
  }
  return { type: { kind: 'bool' }, cost: Math.min(lengthOf(left.type), lengthOf(right.type)) / 64 };
};

export const SPECIAL: ReadonlyMap<string, Special> = new Map<string, Special>([
  ['_&&_', logical('&&')],
  ['_||_', logical('||')],
  ['!_', logical('!')],
  ['_==_', equality],
  ['_!=_', equality],
  ['@in', membership],
  ['_?_:_', conditional],
  ['_+_', addition],
  ['_[_]', element],
]);

function membership(offset: number, [item, list]: readonly Node[]): Node {
  if (!item || list?.type.kind !== 'list') throw new Problem(offset, '"in" needs a list on its right');
  if (!alike(item.type, list.type.of) && list.type.max > 0) {
    throw new Problem(
      offset,
      `${describeType(item.type)} is never in a list of ${describeType(list.type.of)}`,
    );
  }
  return { type: { kind: 'bool' }, cost: list.type.max * (1 + lengthOf(item.type) / 64) };
}

function conditional(offset: number, [condition, yes, no]: readonly Node[]): Node {
  if (!condition || !yes || !no) throw new Problem(offset, 'not a whole condition');
  expectBool(offset, [condition], '?');
  const type = join(yes.type, no.type);
  if (type === null)
    throw new Problem(
      offset,
      `the two sides of ":" differ: ${describeType(yes.type)} and ${describeType(no.type)}`,
    );
  return { type, cost: 0 };
}

function addition(offset: number, [left, right]: readonly Node[]): Node {
  const [a, b] = [left?.type, right?.type];
  if (a?.kind === 'int' && b?.kind === 'int') return { type: a, cost: 0 };
  if (a?.kind === 'timestamp' && b?.kind === 'duration') return { type: a, cost: 0 };
  if (a?.kind === 'string' && b?.kind === 'string') {
    if (a.max + b.max > MAX_TEXT)
      throw new Problem(offset, `a text that may grow beyond ${MAX_TEXT} characters`);
    return { type: { kind: 'string', max: a.max + b.max }, cost: (a.max + b.max) / 64 };
  }
  throw new Problem(
    offset,
    `"+" cannot be used on ${[a, b].map((type) => type && describeType(type)).join(' and ')}`,
  );
}

function element(offset: number, [list, index]: readonly Node[]): Node {
  if (list?.type.kind !== 'list' || index?.type.kind !== 'int')
    throw new Problem(offset, '[ ] needs a list and a whole number');
  return { type: list.type.of, cost: 0 };
}

function alike(a: ValueType, b: ValueType): boolean {
  return join(a, b) !== null;
}

/** The type that holds both, or null. An empty list goes with every list. */
export function join(a: ValueType, b: ValueType): ValueType | null {
  if (a.kind === 'string' && b.kind === 'string') return { kind: 'string', max: Math.max(a.max, b.max) };
  if (a.kind === 'list' && b.kind === 'list') {
    const of = a.max === 0 ? b.of : b.max === 0 ? a.of : join(a.of, b.of);
    return of === null ? null : { kind: 'list', of, max: Math.max(a.max, b.max) };
  }
  return a.kind === b.kind ? a : null;
}
