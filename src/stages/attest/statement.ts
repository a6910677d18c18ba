import { canonicalJson } from '../../kernel/canonical.ts';
import { type Digest, digestHex } from '../../kernel/digest.ts';
import { isRecord, parseJson } from './json.ts';

const STATEMENT_V1 = 'https://in-toto.io/Statement/v1';
/** cosign attest still writes this one. */
const STATEMENT_V01 = 'https://in-toto.io/Statement/v0.1';

export interface Statement {
  predicateType: string;
  predicate: Record<string, unknown>;
  subjects: { algorithm: string; hex: string }[];
}

/** Canonical bytes of an in-toto Statement v1 about one artifact: the same input gives the same bytes. */
export function statementBytes(
  subject: { name: string; digest: Digest },
  predicateType: string,
  predicate: Readonly<Record<string, unknown>>,
): Buffer {
  const algorithm = subject.digest.slice(0, subject.digest.indexOf(':'));
  return Buffer.from(
    canonicalJson({
      _type: STATEMENT_V1,
      subject: [{ name: subject.name, digest: { [algorithm]: digestHex(subject.digest) } }],
      predicateType,
      predicate,
    }),
  );
}

const MAX_SUBJECTS = 10_000;

/** Reads a payload that may come from anywhere. A string says what is wrong. */
export function parseStatement(payload: Uint8Array): Statement | string {
  const value = parseJson(payload);
  if (!isRecord(value)) return 'the statement is not a JSON object';
  if (value._type !== STATEMENT_V1 && value._type !== STATEMENT_V01)
    return 'the payload is no in-toto statement';
  const { predicateType, predicate = {}, subject } = value;
  if (typeof predicateType !== 'string' || predicateType.length > 1_000)
    return 'the statement has no predicate type';
  if (!isRecord(predicate)) return 'the predicate is not an object';
  if (!Array.isArray(subject) || subject.length > MAX_SUBJECTS)
    return 'the statement has no reasonable list of subjects';
  const subjects = (subject as unknown[]).flatMap((one) =>
    isRecord(one) && isRecord(one.digest)
      ? Object.entries(one.digest).map(([algorithm, hex]) => ({ algorithm, hex: String(hex) }))
      : [],
  );
  return { predicateType, predicate, subjects };
}

export function isAbout(statement: Statement, digest: Digest): boolean {
  return statement.subjects.some(({ algorithm, hex }) => `${algorithm}:${hex}` === digest);
}
