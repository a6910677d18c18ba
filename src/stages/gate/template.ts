import type { Diagnostic } from '../../kernel/errors.ts';
import { compileExpression, type Program } from './evaluate.ts';
import { diagnosticAt, type Place } from './expression.ts';

/** Longest message, before and after its expressions are filled in. */
export const MESSAGE_TEMPLATE_CHARS = 2_000;
const MAX_EXPRESSIONS = 20;

export interface Template {
  /** What is not known is said as such; never throws. */
  render(facts: unknown): string;
}

/** A text with `{{ expression }}` in it; an expression must give a text, a number or true/false. */
export function compileTemplate(place: Place): Template | { diagnostics: Diagnostic[] } {
  const { text } = place;
  if (text.length > MESSAGE_TEMPLATE_CHARS) {
    return {
      diagnostics: [diagnosticAt(place, 0, `a message of more than ${MESSAGE_TEMPLATE_CHARS} characters`)],
    };
  }
  const parts: (string | Program)[] = [];
  let end = 0;
  for (let start = text.indexOf('{{'); start >= 0; start = text.indexOf('{{', end)) {
    const close = text.indexOf('}}', start);
    if (close < 0) return { diagnostics: [diagnosticAt(place, start, '"{{" without "}}"')] };
    const program = compileExpression({ ...place, base: start + 2 }, text.slice(start + 2, close));
    if ('diagnostics' in program) return program;
    if (!['string', 'int', 'bool'].includes(program.type.kind)) {
      const hint = 'Name one fact, or turn the value into a text.';
      return { diagnostics: [diagnosticAt(place, start + 2, 'this expression gives no text', hint)] };
    }
    parts.push(text.slice(end, start), program);
    end = close + 2;
  }
  if (parts.length > 2 * MAX_EXPRESSIONS) {
    return { diagnostics: [diagnosticAt(place, 0, `more than ${MAX_EXPRESSIONS} expressions in a message`)] };
  }
  parts.push(text.slice(end));
  return {
    render(facts) {
      const rendered = parts.map((part) => (typeof part === 'string' ? part : filled(part, facts))).join('');
      return rendered.length > MESSAGE_TEMPLATE_CHARS
        ? `${rendered.slice(0, MESSAGE_TEMPLATE_CHARS - 1)}…`
        : rendered;
    },
  };
}

function filled(program: Program, facts: unknown): string {
  const answer = program.evaluate(facts);
  return 'error' in answer ? '(not known)' : String(answer.value);
}
