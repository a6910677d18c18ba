import { type ErrorCode, SlipwayError } from '../../kernel/errors.ts';
import { type Answer, readAnswer } from './transport.ts';

const ERROR_BYTES_MAX = 64 * 1024;
const MESSAGE_LENGTH_MAX = 300;

interface OciError {
  code: string;
  message: string;
}

/** What a registry's refusal means. Reads the answer's body. `what` completes "the registry … refused to". */
export async function failureOf(answer: Answer, what: string): Promise<SlipwayError> {
  const text = await readAnswer(answer, ERROR_BYTES_MAX).catch(() => Buffer.alloc(0));
  const first = firstError(text.toString('utf8'));
  const code = codeOf(answer.status, first);
  const said = first ? `${first.code}: ${first.message}` : 'no reason given';
  return new SlipwayError(code, `the registry ${answer.url.host} did not ${what}: ${answer.status} ${said}`, {
    ...(answer.status === 401 ? { hint: 'Check the user and the token for this registry.' } : {}),
    facts: { status: answer.status, ...(first ? { oci: first.code } : {}) },
  });
}

function codeOf(status: number, error: OciError | null): ErrorCode {
  // ECR answers 400, Harbor 412, ours and others 403.
  if (status < 500 && error && /immutable/i.test(`${error.code} ${error.message}`)) return 'tag_immutable';
  if (status === 401 || status === 403) return 'forbidden';
  if (error?.code === 'DIGEST_INVALID') return 'digest_mismatch';
  if (status === 404 || error?.code === 'MANIFEST_BLOB_UNKNOWN') return 'image_missing';
  if (status === 413) return 'payload_too_large';
  if (status === 507) return 'disk_full';
  if (status === 408 || status === 429 || status >= 500) return 'unreachable';
  return 'invalid_input';
}

function firstError(text: string): OciError | null {
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const first = errors?.[0];
    return first ? { code: printable(first.code), message: printable(first.message) } : null;
  } catch {
    return null;
  }
}

/** A stranger's text in a message of ours: short, and without control characters. */
function printable(value: unknown): string {
  return String(value ?? '')
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, MESSAGE_LENGTH_MAX);
}
