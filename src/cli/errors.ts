import {
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  formatDiagnostic,
  isSlipwayError,
  SlipwayError,
} from '../kernel/errors.ts';
import { clean, oneLine } from './output/clean.ts';
import type { Style } from './output/style.ts';

/** The exit codes of every command; docs/errors.md has the same table. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  cancelled: 3,
  unauthorized: 4,
  refused: 5,
  notFound: 6,
  timedOut: 7,
  pending: 8,
  unreachable: 9,
  interrupted: 130,
} as const;

/** A failure as the server told it. */
export class ApiError extends SlipwayError {
  readonly requestId: string | null;
  readonly docs: string | null;

  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorDetails & { requestId: string | null; docs: string | null },
  ) {
    super(code, message, details);
    this.requestId = details.requestId;
    this.docs = details.docs;
  }
}

/** The person asked for the end (Ctrl-C, SIGTERM). `message` says what goes on without them. */
export class Interrupted extends Error {}

export function usage(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, hint === undefined ? {} : { hint });
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  return isSlipwayError(error) ? ERROR_CODES[error.code].exit : EXIT.internal;
}

/** What to do next where the error itself does not say it. */
const NEXT: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'set SLIPWAY_TOKEN; see which one is used with: slipway config explain',
  forbidden: 'ask an administrator for a role that may do this; see: slipway config explain',
  not_found: 'see what there is: slipway status',
  unreachable: 'see which address is used: slipway config explain; start one with: slipway up',
  timeout: 'the work may still go on; look with: slipway status',
  conflict: 'look again, then repeat the command',
  tampered: 'see everything that differs: slipway ledger verify',
  internal: 'try again; if it stays, report it with the request id',
};

/** One error as a program reads it. */
export function errorJson(error: unknown): Record<string, unknown> {
  const known = asSlipwayError(error);
  return {
    error: {
      code: known.code,
      message: known.message,
      exit: exitCodeOf(error),
      hint: known.hint ?? NEXT[known.code] ?? null,
      requestId: known instanceof ApiError ? known.requestId : null,
      docs: docsOf(known),
      retryable: known.retryable,
      diagnostics: known.diagnostics,
    },
  };
}

/** Code, what, why, the places, the next command, request id and docs, on lines of their own. */
export function formatError(error: unknown, style: Style): string {
  const known = asSlipwayError(error);
  const [first = '', ...rest] = clean(known.message).split('\n');
  const lines = [
    `${style.red('slipway:')} ${style.bold(known.code)}: ${first}`,
    ...rest.map((line) => `  ${line}`),
  ];
  for (const diagnostic of known.diagnostics) lines.push(oneLine(formatDiagnostic(diagnostic)));
  const field = (name: string, value: string | null | undefined) => {
    if (value) lines.push(`  ${style.dim(name.padEnd(8))} ${oneLine(value)}`);
  };
  field('why', ERROR_CODES[known.code].title);
  field('next', known.hint ?? NEXT[known.code]);
  field('docs', docsOf(known));
  if (known instanceof ApiError) field('request', known.requestId);
  return `${lines.join('\n')}\n`;
}

function docsOf(error: SlipwayError): string {
  return (error instanceof ApiError && error.docs) || `https://slipway.dev/errors#${error.code}`;
}

function asSlipwayError(error: unknown): SlipwayError {
  if (isSlipwayError(error)) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new SlipwayError('internal', message, { cause: error });
}
