/**
 * The closed list of error codes. `retryable` is the one split every caller may rely on: a retryable error may vanish by
 * itself, a terminal one needs a person or another input. `status` is the HTTP status at the edge (RFC 9457), `exit` the
 * CLI's exit code (docs/errors.md lists them all; a test holds the two together).
 */
export const ERROR_CODES = {
  internal: { status: 500, exit: 1, retryable: true, title: 'Something failed inside Slipway' },
  usage: { status: 400, exit: 2, retryable: false, title: 'The call is not well formed' },
  invalid_input: { status: 422, exit: 2, retryable: false, title: 'The input does not fit its schema' },
  invalid_config: { status: 422, exit: 2, retryable: false, title: 'The configuration has errors' },
  payload_too_large: { status: 413, exit: 2, retryable: false, title: 'The input is larger than its bound' },
  cancelled: { status: 409, exit: 3, retryable: false, title: 'The work was cancelled' },
  unauthenticated: { status: 401, exit: 4, retryable: false, title: 'The caller is not known' },
  forbidden: { status: 403, exit: 4, retryable: false, title: 'The caller may not do this' },
  policy_denied: { status: 403, exit: 5, retryable: false, title: 'Refused by policy or evidence' },
  evidence_missing: {
    status: 403,
    exit: 5,
    retryable: false,
    title: 'Evidence that policy requires is missing',
  },
  signature_invalid: { status: 403, exit: 5, retryable: false, title: 'A signature does not verify' },
  tag_immutable: {
    status: 403,
    exit: 5,
    retryable: false,
    title: 'The tag is immutable and names another digest',
  },
  tampered: { status: 409, exit: 5, retryable: false, title: 'Stored bytes differ from their proof' },
  not_found: { status: 404, exit: 6, retryable: false, title: 'There is no such thing' },
  timeout: { status: 504, exit: 7, retryable: true, title: 'The work did not finish in time' },
  conflict: { status: 409, exit: 8, retryable: true, title: 'Another change came first' },
  lane_busy: { status: 409, exit: 8, retryable: true, title: 'A rollout is active in this lane' },
  confirmation_required: { status: 428, exit: 2, retryable: false, title: 'This needs a typed confirmation' },
  invalid_state: {
    status: 409,
    exit: 8,
    retryable: false,
    title: 'The thing is not in a state that allows this',
  },
  idempotency_mismatch: {
    status: 422,
    exit: 2,
    retryable: false,
    title: 'The idempotency key was used for another request',
  },
  unreachable: { status: 502, exit: 9, retryable: true, title: 'A peer cannot be reached' },
  disk_full: { status: 507, exit: 1, retryable: true, title: 'The disk is full' },
  port_taken: { status: 500, exit: 1, retryable: false, title: 'The port is in use' },
  source_unreachable: { status: 502, exit: 9, retryable: true, title: 'The repository cannot be read' },
  commit_not_found: { status: 404, exit: 6, retryable: false, title: 'The repository has no such commit' },
  lockfile_broken: {
    status: 422,
    exit: 2,
    retryable: false,
    title: 'The lockfile is missing or does not fit',
  },
  step_failed: { status: 422, exit: 1, retryable: false, title: 'A build step failed' },
  image_missing: { status: 404, exit: 6, retryable: false, title: 'The image is not in the registry' },
  digest_mismatch: { status: 422, exit: 5, retryable: false, title: 'The bytes do not match their digest' },
  key_unknown: { status: 403, exit: 5, retryable: false, title: 'The signing key is not known' },
  stale_fence: { status: 409, exit: 8, retryable: false, title: 'The action is from a stale worker' },
  invariant_violated: {
    status: 500,
    exit: 1,
    retryable: false,
    title: 'A plan broke an invariant and was not applied',
  },
} as const satisfies Record<string, { status: number; exit: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One place in a text input, counted from 1. */
export interface SourcePosition {
  file: string;
  line: number;
  column: number;
}

/** One thing wrong with an input: where, what, what was expected, how to mend it. */
export interface Diagnostic {
  path: string;
  message: string;
  hint?: string;
  position?: SourcePosition;
}

export interface ErrorDetails {
  /** What the person can do now: one sentence, with the command where there is one. */
  hint?: string;
  diagnostics?: readonly Diagnostic[];
  cause?: unknown;
  /** Small facts for machines; never a secret. */
  facts?: Readonly<Record<string, string | number | boolean>>;
}

/** Every failure that crosses a module's border is one of these. */
export class SlipwayError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SlipwayError';
    this.code = code;
    this.hint = details.hint;
    this.diagnostics = details.diagnostics ?? [];
    this.facts = details.facts ?? {};
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

export function isSlipwayError(error: unknown): error is SlipwayError {
  return error instanceof SlipwayError;
}

/** `slipway.yaml:4:7: message (hint)`, the way compilers write it. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { position, path, message, hint } = diagnostic;
  const where = position ? `${position.file}:${position.line}:${position.column}` : path;
  return `${where}: ${message}${hint ? ` (${hint})` : ''}`;
}
