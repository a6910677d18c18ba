import type { Diagnostic } from '../../kernel/errors.ts';
import { diagnosticAt, type Expr, type ParsedExpression, type Place } from './expression.ts';
import { type FactType, ROOTS } from './facts.ts';
import { describeType, FUNCTIONS, MACROS, type Overload, type ValueType, written } from './functions.ts';
import { join, lengthOf, MAX_TEXT, type Node, Problem, SPECIAL } from './operators.ts';
import { patternCost } from './pattern.ts';

/**
 * The type and cost check. CEL programs always end, but they can be made to run very long: each node gets a cost from the
 * bounds of what it works on, a comprehension the product, and an expression above `MAX_COST` does not load. So evaluation
 * needs no clock: what loads is known to be quick (about 1 µs a unit).
 */
export const MAX_COST = 50_000;
/** Levels of the syntax tree: whatever walks it is recursive. A chain such as `a + b + c` is one level an operator. */
const MAX_DEPTH = 200;
/** Longest list that can be written out. */
const MAX_LIST = 1_000;

export interface Checked {
  type: ValueType;
  cost: number;
  /** Facts the expression names, such as `evidence.test.failed`; sorted, each once. */
  facts: readonly string[];
}

interface Scope {
  parsed: ParsedExpression;
  facts: Set<string>;
  variables: ReadonlyMap<string, ValueType>;
  depth: number;
}

export function checkExpression(
  place: Place,
  parsed: ParsedExpression,
): Checked | { diagnostics: Diagnostic[] } {
  const scope: Scope = { parsed, facts: new Set(), variables: new Map(), depth: 0 };
  try {
    const { type, cost } = visit(scope, parsed.expr);
    return { type, cost, facts: [...scope.facts].sort() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { diagnostics: [diagnosticAt(place, error.offset, error.message, error.hint)] };
  }
}

function visit(outer: Scope, expr: Expr): Node {
  const scope = { ...outer, depth: outer.depth + 1 };
  if (scope.depth > MAX_DEPTH) {
    throw new Problem(
      offsetOf(scope, expr),
      `an expression of more than ${MAX_DEPTH} levels`,
      'Write it as several policies.',
    );
  }
  const node = visitKind(scope, expr);
  if (node.cost <= MAX_COST) return node;
  throw new Problem(
    offsetOf(scope, expr),
    `too costly: about ${Math.round(node.cost)} steps in the worst case, at most ${MAX_COST}`,
    'Nest fewer loops, and compare shorter texts.',
  );
}

function visitKind(scope: Scope, expr: Expr): Node {
  const { exprKind } = expr;
  switch (exprKind.case) {
    case 'constExpr':
      return { type: constantType(scope, expr), cost: 1 };
    case 'identExpr':
    case 'selectExpr':
      return visitName(scope, expr);
    case 'callExpr':
      return visitCall(scope, expr);
    case 'listExpr':
      return visitList(scope, expr);
    case 'comprehensionExpr':
      return visitMacro(scope, expr);
    default:
      throw new Problem(offsetOf(scope, expr), 'maps and messages cannot be used in a policy');
  }
}

function offsetOf(scope: Scope, expr: Expr): number {
  return scope.parsed.offsetOf(expr.id);
}

function constantType(scope: Scope, expr: Expr): ValueType {
  const constant = expr.exprKind.case === 'constExpr' ? expr.exprKind.value.constantKind : undefined;
  switch (constant?.case) {
    case 'boolValue':
      return { kind: 'bool' };
    case 'int64Value':
      if (BigInt.asIntN(64, constant.value) !== constant.value) {
        throw new Problem(offsetOf(scope, expr), 'a number beyond 64 bits');
      }
      return { kind: 'int' };
    case 'stringValue':
      return { kind: 'string', max: constant.value.length };
    default:
      throw new Problem(
        offsetOf(scope, expr),
        'only whole numbers, texts, true and false can be written in a policy',
        'Facts are never null and never fractions.',
      );
  }
}

/** A variable of a macro, or a fact such as `commit.sha`. */
function visitName(scope: Scope, expr: Expr): Node {
  const path: string[] = [];
  let at = expr;
  while (at.exprKind.case === 'selectExpr') {
    const { operand, field, testOnly } = at.exprKind.value;
    if (testOnly) {
      const hint = 'A missing fact is a deny by itself; "present" says whether a piece of evidence is there.';
      throw new Problem(offsetOf(scope, at), 'has() cannot be used in a policy', hint);
    }
    path.unshift(field);
    if (operand === undefined) throw new Problem(offsetOf(scope, at), 'a field of nothing');
    at = operand;
  }
  const root = at.exprKind.case === 'identExpr' ? at.exprKind.value.name : undefined;
  if (root === undefined) throw new Problem(offsetOf(scope, expr), 'only facts have fields');
  const variable = scope.variables.get(root);
  if (variable !== undefined && path.length === 0) return { type: variable, cost: 1 };
  if (variable !== undefined) throw new Problem(offsetOf(scope, expr), `"${root}" has no fields`);
  return visitFact(scope, expr, at, [root, ...path]);
}

function visitFact(scope: Scope, expr: Expr, root: Expr, path: readonly string[]): Node {
  let type: FactType = { kind: 'object', fields: ROOTS };
  const known: string[] = [];
  for (const name of path) {
    // A field's offset is that of its dot.
    const offset = known.length > 0 ? offsetOf(scope, expr) + 1 : offsetOf(scope, root);
    const parent = known.join('.');
    if (type.kind !== 'object') throw new Problem(offset, `"${parent}" has no fields`);
    if (!Object.hasOwn(type.fields, name)) {
      const names = Object.keys(type.fields).join(', ');
      throw new Problem(
        offset,
        `there is no fact "${[...known, name].join('.')}"`,
        `Known${parent && ` below ${parent}`}: ${names}.`,
      );
    }
    known.push(name);
    type = type.fields[name]!;
  }
  if (type.kind === 'object') {
    const names = Object.keys(type.fields).join(', ');
    throw new Problem(
      offsetOf(scope, expr),
      `"${known.join('.')}" is a group of facts`,
      `Name one of ${names}.`,
    );
  }
  scope.facts.add(known.join('.'));
  return { type: valueType(type), cost: known.length };
}

function valueType(type: FactType): ValueType {
  if (type.kind === 'object') throw new TypeError('a list of mappings is no type of a fact');
  return type.kind === 'list' ? { kind: 'list', of: valueType(type.of), max: type.max } : type;
}

function visitCall(scope: Scope, expr: Expr): Node {
  if (expr.exprKind.case !== 'callExpr') throw new TypeError('not a call');
  const { function: name, target, args } = expr.exprKind.value;
  const offset = offsetOf(scope, expr);
  const nodes = args.map((arg) => visit(scope, arg));
  const receiver = target === undefined ? undefined : visit(scope, target);
  const operands = receiver === undefined ? nodes : [receiver, ...nodes];
  const cost = operands.reduce((sum, node) => sum + node.cost, 1);
  const special = SPECIAL.get(name)?.(offset, nodes, receiver);
  if (special !== undefined) return { type: special.type, cost: cost + special.cost };
  const overloads = FUNCTIONS.get(name);
  if (overloads === undefined) {
    const hint = `Functions: ${[...FUNCTIONS.keys()].filter((known) => /^\w+$/.test(known) && !known.includes('_')).join(', ')}; over lists: ${MACROS.join(', ')}.`;
    throw new Problem(offset, `there is no function "${written(name)}" in policies`, hint);
  }
  const overload = overloads.find((candidate) => applies(candidate, nodes, receiver));
  if (overload === undefined) {
    throw new Problem(
      offset,
      `"${written(name)}" cannot be used on ${operands.map(({ type }) => describeType(type)).join(' and ')}`,
    );
  }
  const work =
    name === 'matches'
      ? patternWork(scope, args[0], receiver, offset)
      : operands.reduce((sum, { type }) => sum + lengthOf(type) / 64, 0);
  return { type: resultType(overload), cost: cost + work };
}

function applies(overload: Overload, nodes: readonly Node[], receiver: Node | undefined): boolean {
  return (
    receiver?.type.kind === overload.target &&
    nodes.length === overload.args.length &&
    overload.args.every((kind, i) => nodes[i]!.type.kind === kind)
  );
}

function resultType({ result, max }: Overload): ValueType {
  return result === 'string' ? { kind: 'string', max: max ?? MAX_TEXT } : { kind: result };
}

function patternWork(
  scope: Scope,
  pattern: Expr | undefined,
  receiver: Node | undefined,
  offset: number,
): number {
  const constant = pattern?.exprKind.case === 'constExpr' ? pattern.exprKind.value.constantKind : undefined;
  if (constant?.case !== 'stringValue')
    throw new Problem(offset, 'the pattern of matches() must be written out as a text');
  const judged = patternCost(constant.value, receiver === undefined ? 1 : lengthOf(receiver.type));
  if ('problem' in judged) throw new Problem(offsetOf(scope, pattern!), judged.problem);
  return judged.cost;
}

function visitList(scope: Scope, expr: Expr): Node {
  const elements = expr.exprKind.case === 'listExpr' ? expr.exprKind.value.elements : [];
  if (elements.length > MAX_LIST) throw new Problem(offsetOf(scope, expr), `a list of more than ${MAX_LIST}`);
  let of: ValueType | undefined;
  let cost = 1;
  for (const item of elements) {
    const node = visit(scope, item);
    const joined: ValueType | null = of === undefined ? node.type : join(of, node.type);
    if (joined === null) throw new Problem(offsetOf(scope, item), 'the items of a list must be of one type');
    of = joined;
    cost += node.cost;
  }
  return { type: { kind: 'list', of: of ?? { kind: 'bool' }, max: elements.length }, cost };
}

/** The parts of `range.macro(variable, body)` as the parser expands it. */
function visitMacro(scope: Scope, expr: Expr): Node {
  if (expr.exprKind.case !== 'comprehensionExpr') throw new TypeError('not a comprehension');
  const { iterRange, iterVar, loopStep } = expr.exprKind.value;
  const offset = offsetOf(scope, expr);
  const macro = scope.parsed.macroOf(expr.id);
  const steps = loopStep?.exprKind.case === 'callExpr' ? loopStep.exprKind.value.args : [];
  if (iterRange === undefined || !MACROS.some((known) => known === macro))
    throw new Problem(offset, 'not a macro that policies can use');
  const range = visit(scope, iterRange);
  if (range.type.kind !== 'list')
    throw new Problem(offset, `"${macro}" needs a list, got ${describeType(range.type)}`);
  if (Object.hasOwn(ROOTS, iterVar) || scope.variables.has(iterVar)) {
    throw new Problem(offset, `"${iterVar}" has a meaning already; name the variable otherwise`);
  }
  const inner: Scope = { ...scope, variables: new Map([...scope.variables, [iterVar, range.type.of]]) };
  const { test, item } = macroParts(macro, steps);
  const tested = test && visit(inner, test);
  if (tested && tested.type.kind !== 'bool')
    throw new Problem(
      offset,
      `the condition of "${macro}" must be true/false, got ${describeType(tested.type)}`,
    );
  const made = item && visit(inner, item);
  if (tested === undefined && made === undefined) throw new Problem(offset, `"${macro}" without a body`);
  const each = 4 + (tested?.cost ?? 0) + (made?.cost ?? 0);
  const cost = 2 + range.cost + range.type.max * each;
  if (macro === 'filter') return { type: range.type, cost };
  if (made !== undefined) return { type: { kind: 'list', of: made.type, max: range.type.max }, cost };
  return { type: { kind: 'bool' }, cost };
}

function macroParts(
  macro: string | undefined,
  steps: readonly Expr[],
): { test?: Expr | undefined; item?: Expr | undefined } {
  const appended = (sum: Expr | undefined): Expr | undefined => {
    const list = sum?.exprKind.case === 'callExpr' ? sum.exprKind.value.args[1] : undefined;
    return list?.exprKind.case === 'listExpr' ? list.exprKind.value.elements[0] : undefined;
  };
  if (macro === 'all' || macro === 'exists') return { test: steps[1] };
  if (macro === 'exists_one' || macro === 'filter') return { test: steps[0] };
  // map(x, item) appends at once; map(x, test, item) behind a condition.
  if (steps.length === 3) return { test: steps[0], item: appended(steps[1]) };
  const list = steps[1];
  return { item: list?.exprKind.case === 'listExpr' ? list.exprKind.value.elements[0] : undefined };
}
