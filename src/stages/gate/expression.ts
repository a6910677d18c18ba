import { parse } from '@bufbuild/cel';
import type { Diagnostic } from '../../kernel/errors.ts';

/** Bounds of one expression as it is written. */
export const MAX_EXPRESSION_CHARS = 8_192;
/** Brackets inside brackets. The parser is recursive; the stack must never be what stops it. */
export const MAX_NESTING = 32;
/** `!` or `-` in a row. */
const MAX_PREFIXES = 8;

export type Expr = ReturnType<typeof parse>['expr'];

export interface ParsedExpression {
  text: string;
  expr: Expr;
  /** Name of the macro that a comprehension came from, by expression id. */
  macroOf(id: bigint): string | undefined;
  /** Offset into `text`, by expression id. */
  offsetOf(id: bigint): number;
}

/** Where in which text of a policy: `path` is `allow`, `message` or a test. */
export interface Place {
  policy: string;
  path: string;
  text: string;
  /** Where an expression begins inside `text`. */
  base?: number;
}

/** A diagnostic with line and column counted from 1 within the policy's own text. */
export function diagnosticAt(place: Place, offset: number, message: string, hint?: string): Diagnostic {
  const before = place.text.slice(0, (place.base ?? 0) + Math.max(0, offset)).split('\n');
  const position = {
    file: `policy ${place.policy}`,
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
  };
  return { path: place.path, message, position, ...(hint === undefined ? {} : { hint }) };
}

/** Text to syntax tree, or why not. Never throws, whatever the text holds. */
export function parseExpression(
  place: Place,
  text: string,
): ParsedExpression | { diagnostics: Diagnostic[] } {
  const tooLarge = checkSize(text);
  if (tooLarge)
    return { diagnostics: [diagnosticAt(place, tooLarge.offset, tooLarge.message, tooLarge.hint)] };
  try {
    const { expr, sourceInfo } = parse(text) as ReturnType<typeof parse> & {
      sourceInfo: NonNullable<ReturnType<typeof parse>['sourceInfo']>;
    };
    return {
      text,
      expr,
      macroOf(id) {
        const kind = sourceInfo.macroCalls[String(id)]?.exprKind;
        return kind?.case === 'callExpr' ? kind.value.function : undefined;
      },
      offsetOf: (id) => sourceInfo.positions[String(id)] ?? 0,
    };
  } catch (error) {
    const { location, rawMessage } = error as {
      location?: { start: { offset: number } };
      rawMessage?: string;
    };
    // A RangeError here is the parser's stack: the bounds above keep it away, and if they do not, the answer is no.
    const message = rawMessage
      ? `not a CEL expression: ${rawMessage}`
      : 'not a CEL expression that can be read';
    return { diagnostics: [diagnosticAt(place, location?.start.offset ?? 0, message)] };
  }
}

interface TooLarge {
  offset: number;
  message: string;
  hint: string;
}

/**
 * Looks at the raw characters before the parser does. Brackets in texts and comments count as well: that errs to the safe
 * side, and nobody needs 32 of them open.
 */
function checkSize(text: string): TooLarge | null {
  if (text.length > MAX_EXPRESSION_CHARS) {
    return {
      offset: MAX_EXPRESSION_CHARS,
      message: `an expression of ${text.length} characters; at most ${MAX_EXPRESSION_CHARS} are read`,
      hint: 'Split the policy into several.',
    };
  }
  let depth = 0;
  let prefixes = 0;
  for (let offset = 0; offset < text.length; offset++) {
    const character = text[offset]!;
    if ('([{?'.includes(character)) depth++;
    else if (')]}:'.includes(character) && depth > 0) depth--;
    if (character === '!' || character === '-') prefixes++;
    else if (!/\s/.test(character)) prefixes = 0;
    if (depth > MAX_NESTING || prefixes > MAX_PREFIXES) {
      const message =
        depth > MAX_NESTING
          ? `nested deeper than ${MAX_NESTING}`
          : `more than ${MAX_PREFIXES} "!" or "-" in a row`;
      return { offset, message, hint: 'Write it flatter, or as several policies.' };
    }
  }
  return null;
}
