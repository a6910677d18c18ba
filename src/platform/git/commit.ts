import { SlipwayError } from '../../kernel/errors.ts';
import { type Git, runGit } from './git.ts';
import type { Mirror } from './mirror.ts';
import { requireSha } from './objects.ts';

/** good: by a key we accept. unknown-key: signed, but nobody told us about the key. bad: does not match the commit. */
export type SignatureState = 'none' | 'good' | 'bad' | 'unknown-key';

/** What a commit says about itself. All texts are its author's: bounded, well-formed, never trusted. */
export interface CommitInfo {
  sha: string;
  parents: string[];
  author: string;
  authorEmail: string;
  committer: string;
  /** The committer's clock, which may lie. */
  committedAtMs: number;
  message: string;
  signature: SignatureState;
}

const MAX_MESSAGE = 8192;
const MAX_NAME = 200;
const MAX_PARENTS = 100;
const MAX_COMMIT_BYTES = 1_048_576;

/** Throws `commit_not_found`. */
export async function readCommit(git: Git, mirror: Mirror, sha: string): Promise<CommitInfo> {
  requireSha(sha);
  const args = [`--git-dir=${mirror.directory}`, 'cat-file', 'commit', sha];
  const { exitCode, stdout } = await runGit(git, args, { maxBytes: MAX_COMMIT_BYTES });
  if (exitCode !== 0) {
    throw new SlipwayError('commit_not_found', `the repository has no commit ${sha}`, {
      hint: 'It may not have been pushed yet.',
    });
  }
  const { signatureKind, ...info } = parseCommit(sha, stdout);
  return { ...info, signature: await signatureState(git, mirror, sha, signatureKind) };
}

type SignatureKind = 'none' | 'ssh' | 'openpgp' | 'other';

/** Reads a raw commit object (git-commit-tree, "gitformat-commit"). */
export function parseCommit(
  sha: string,
  raw: Buffer,
): Omit<CommitInfo, 'signature'> & { signatureKind: SignatureKind } {
  const end = raw.indexOf('\n\n');
  const head = raw.subarray(0, end < 0 ? raw.length : end).toString('latin1');
  // A header line that begins with a space continues the one before.
  const headers = head.split(/\n(?! )/).map((line) => {
    const space = line.indexOf(' ');
    return { name: line.slice(0, space), value: line.slice(space + 1) };
  });
  const first = (name: string) => headers.find((header) => header.name === name)?.value;
  const decode = decoder(first('encoding'));
  const author = person(decode(Buffer.from(first('author') ?? '', 'latin1')));
  const committer = person(decode(Buffer.from(first('committer') ?? '', 'latin1')));
  const signature = first('gpgsig') ?? first('gpgsig-sha256');
  return {
    sha,
    parents: headers.flatMap(({ name, value }) => (name === 'parent' ? [value] : [])).slice(0, MAX_PARENTS),
    author: author.name,
    authorEmail: author.email,
    committer: committer.name,
    committedAtMs: committer.atMs,
    message: clean(decode(raw.subarray(end < 0 ? raw.length : end + 2)), MAX_MESSAGE),
    signatureKind: signature === undefined ? 'none' : kindOf(signature),
  };
}

function kindOf(signature: string): SignatureKind {
  if (signature.startsWith('-----BEGIN SSH SIGNATURE-----')) return 'ssh';
  return signature.startsWith('-----BEGIN PGP SIGNATURE-----') ? 'openpgp' : 'other';
}

function decoder(encoding: string | undefined): (bytes: Uint8Array) => string {
  try {
    const made = new TextDecoder(encoding ?? 'utf-8');
    return (bytes) => made.decode(bytes);
  } catch {
    return (bytes) => new TextDecoder('utf-8').decode(bytes);
  }
}

function person(text: string): { name: string; email: string; atMs: number } {
  const [, name = '', email = '', seconds = '0'] = /^(.*?) ?<([^<>]*)>(?: (\d{1,12}))?/.exec(text) ?? [];
  const atMs = Number(seconds) * 1000;
  // PostgreSQL and Date end long before what a commit may claim.
  return {
    name: clean(name, MAX_NAME),
    email: clean(email, MAX_NAME),
    atMs: atMs <= 253_402_300_799_000 ? atMs : 0,
  };
}

/** PostgreSQL holds no NUL, and terminals obey the other control characters. */
function clean(text: string, length: number): string {
  return text
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .toWellFormed()
    .slice(0, length)
    .toWellFormed()
    .trim();
}

async function signatureState(
  git: Git,
  mirror: Mirror,
  sha: string,
  kind: SignatureKind,
): Promise<SignatureState> {
  if (kind === 'none') return 'none';
  const canJudge =
    kind === 'ssh' ? git.signers.allowedSignersFile : kind === 'openpgp' ? git.signers.gnupgHome : undefined;
  if (!canJudge) return 'unknown-key';
  const args = [
    `--git-dir=${mirror.directory}`,
    'log',
    '-1',
    '--no-walk',
    '--format=%G?',
    '--end-of-options',
    sha,
  ];
  const { exitCode, stdout } = await runGit(git, args);
  const letter = exitCode === 0 ? stdout.toString('latin1').trim() : 'E';
  return signatureOf(letter, kind);
}

/**
 * git-log's %G?. OpenPGP: a key in the keyring given to us is accepted, so U (no web-of-trust path) is good; expired keys
 * and signatures (X, Y) and revoked keys (R) are not. SSH: U means that no line of the allowed signers names the key.
 */
export function signatureOf(letter: string, kind: SignatureKind): SignatureState {
  if (letter === 'G' || (letter === 'U' && kind === 'openpgp')) return 'good';
  return letter === 'B' || letter === 'R' ? 'bad' : 'unknown-key';
}
