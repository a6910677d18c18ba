import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Api } from '../api/client.ts';
import type { LedgerReport } from '../api/types.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import { pairs } from '../output/table.ts';
import { keyId, type SignedHead, strictBase64 } from '../proof/checkpoint.ts';
import { type LogTrust, openHead, readTrust } from '../proof/key.ts';
import { isConsistent, leafHash, rootFromInclusion } from '../proof/tree.ts';
import type { Run } from '../spec.ts';
import { fetchCheckpoint, readIndex } from './ledger.ts';

export const verify: Run = async (context, input) => {
  const [wanted] = input.args;
  const index = wanted === undefined ? undefined : readIndex(wanted);
  const api = await context.api();
  const trust = await readTrust(context, api, input.text('key'));
  const since = input.text('since');
  const code =
    index === undefined
      ? await verifyAll(context, api, trust, since)
      : await verifyEntry(context, api, trust, index, since);
  if (!trust.pinned)
    context.output.note('the key is the one this server shows; give the one you trust with --key');
  return code;
};

/** The server reads everything; that its head is signed, and continues the one kept before, is checked here. */
async function verifyAll(
  { io, output }: Context,
  api: Api,
  trust: LogTrust,
  since: string | undefined,
): Promise<number> {
  const report = await api.call(api.patient.POST('/v1/ledger/verify'));
  const head = openHead(await fetchCheckpoint(api), trust);
  const checks = ['the signed head verifies with the key'];
  if (head.size < report.size)
    throw new SlipwayError('tampered', `the signed head has ${head.size} entries, the log ${report.size}`);
  if (head.size === report.size && report.ok && head.root.toString('hex') !== asHex(report.root))
    throw new SlipwayError('tampered', 'the root that was computed is not the root that was signed');
  if (since !== undefined) checks.push(await verifySince(io.cwd, api, trust, head, since));
  await output.result({ ...report, ...signedFacts(head, trust), checks }, reportText(report, checks));
  return report.ok ? EXIT.ok : EXIT.refused;
}

function asHex(root: string): string {
  return /^[0-9a-f]{64}$/.test(root) ? root : Buffer.from(root, 'base64').toString('hex');
}

function reportText(report: LedgerReport, checks: readonly string[]): string {
  const { ok, size, root, checkpoints, problems, artifacts, truncated } = report;
  const found = [
    ...problems.map(({ where, at, problem }) => `  ${where} ${at}: ${oneLine(problem)}`),
    ...(artifacts?.problems ?? []).map(({ digest, problem }) => `  artifact ${digest}: ${oneLine(problem)}`),
    ...(truncated ? ['  … there is more'] : []),
  ];
  return `${ok ? 'verified' : 'tampered'}: ${size} entries, ${checkpoints} checkpoints${artifacts ? ', all artifacts' : ''}\n${found.map((line) => `${line}\n`).join('')}${pairs(
    [['root', root], ...checks.map((check): [string, string] => ['checked here', check])],
  )}`;
}

/** Nothing the server says about the entry is believed: body, path, checkpoint and signature are put together here. */
async function verifyEntry(
  { io, output }: Context,
  api: Api,
  trust: LogTrust,
  index: number,
  since: string | undefined,
): Promise<number> {
  const path = { index };
  const proof = await api.call(api.client.GET('/v1/ledger/entries/{index}/proof', { params: { path } }));
  const head = openHead(proof.checkpoint, trust);
  const body = strictBase64(proof.body);
  const hashes = proof.hashes.map(strictBase64);
  if (body === null || hashes.some((hash) => hash === null))
    throw new SlipwayError('tampered', 'the proof is not base64');
  const leaf = leafHash(body);
  const root = rootFromInclusion(leaf, index, head.size, hashes as Buffer[]);
  if (root === null || !root.equals(head.root)) {
    throw new SlipwayError(
      'tampered',
      `entry ${index} is not in the signed log: its proof does not lead to the signed root`,
      {
        hint: 'see everything that differs: slipway ledger verify',
      },
    );
  }
  const checks = [
    'the checkpoint is signed by the key',
    `the proof of ${hashes.length} hashes leads from the entry to the signed root`,
  ];
  if (since !== undefined) checks.push(await verifySince(io.cwd, api, trust, head, since));
  const entry = parseBody(body);
  const facts = {
    ok: true,
    index,
    size: head.size,
    root: head.root.toString('hex'),
    leafHash: leaf.toString('hex'),
    ...signedFacts(head, trust),
    entry,
    checks,
  };
  await output.result(facts, entryText(facts, head));
  return EXIT.ok;
}

function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return { base64: body.toString('base64') };
  }
}

function signedFacts(head: SignedHead & { key: LogTrust['keys'][number] }, trust: LogTrust) {
  return {
    signedAt: new Date(head.atMs).toISOString(),
    origin: trust.origin,
    keyId: keyId(trust.origin, 0x01, head.key).toString('hex'),
  };
}

function entryText(
  facts: {
    index: number;
    size: number;
    leafHash: string;
    root: string;
    keyId: string;
    origin: string;
    entry: unknown;
    checks: readonly string[];
  },
  head: SignedHead,
): string {
  const { kind, at, actor, subject } = (
    typeof facts.entry === 'object' && facts.entry !== null ? facts.entry : {}
  ) as Record<string, unknown>;
  return `verified: entry ${facts.index} is in the signed log of ${facts.size} entries\n${pairs([
    typeof kind === 'string' ? ['kind', oneLine(kind)] : null,
    typeof at === 'string' ? ['at', oneLine(at)] : null,
    typeof actor === 'string' ? ['by', oneLine(actor)] : null,
    typeof subject === 'string' ? ['subject', oneLine(subject)] : null,
    ['leaf', facts.leafHash],
    ['root', facts.root],
    ['log', `${facts.origin}, key ${facts.keyId}`],
    ['signed at', new Date(head.atMs).toISOString()],
    ...facts.checks.map((check): [string, string] => ['checked here', check]),
  ])}`;
}

/** The head kept in a file is a beginning of this one. Throws `tampered` when the log was rewritten or cut. */
async function verifySince(
  cwd: string,
  api: Api,
  trust: LogTrust,
  head: SignedHead,
  file: string,
): Promise<string> {
  const text = await readFile(resolve(cwd, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usage(`the checkpoint ${file} cannot be read: ${error.code}`);
  });
  const before = openHead(text, trust, `the checkpoint in ${file}`);
  if (before.size > head.size)
    throw new SlipwayError(
      'tampered',
      `the log has ${head.size} entries, but ${file} was signed over ${before.size}: it was cut`,
    );
  const query = { from: before.size, to: head.size };
  const proof = await api.call(api.client.GET('/v1/ledger/consistency', { params: { query } }));
  const hashes = proof.hashes.map(strictBase64);
  if (hashes.some((hash) => hash === null) || !isConsistent(before, head, hashes as Buffer[]))
    throw new SlipwayError(
      'tampered',
      `the log of ${head.size} entries does not continue the ${before.size} of ${file}: it was rewritten`,
    );
  return `the ${before.size} entries of ${file} are the beginning of these ${head.size}`;
}
