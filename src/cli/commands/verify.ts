import { type Digest, isDigest, shortDigest } from '../../kernel/digest.ts';
import type { Api } from '../api/client.ts';
import type { Artifact } from '../api/types.ts';
import { EXIT } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import { paintState, type Style } from '../output/style.ts';
import { pairs, table } from '../output/table.ts';
import { bytes } from '../output/time.ts';
import type { Run } from '../spec.ts';

export const verify: Run = async (context, { args }) => {
  const { output } = context;
  const api = await context.api();
  const digest = await resolveDigest(api, args[0] ?? '');
  const artifact = await api.call(
    api.patient.GET('/v1/artifacts/{digest}', { params: { path: { digest } } }),
  );
  const { verified, words } = judge(artifact);
  await output.result({ ...artifact, verified }, artifactText(artifact, words, output.style));
  return verified ? EXIT.ok : EXIT.refused;
};

/** A digest as it is; `service/environment`, an id, or the first digits of a digest by asking what is known of it. */
async function resolveDigest(api: Api, text: string): Promise<Digest> {
  if (isDigest(text)) return text;
  const subject = text.replace(/^sha256:/, '');
  const { digest } = await api.call(api.client.GET('/v1/why', { params: { query: { subject } } }));
  return digest as Digest;
}

/** Verified is: some evidence is there and all of it holds. Pure. */
export function judge({ evidence }: Pick<Artifact, 'evidence'>): { verified: boolean; words: string } {
  const bad = evidence.filter(({ verified }) => !verified).length;
  if (evidence.length === 0) return { verified: false, words: 'no evidence: nothing is signed' };
  if (bad > 0)
    return { verified: false, words: `${bad} of ${evidence.length} pieces of evidence do not verify` };
  return { verified: true, words: `all ${evidence.length} pieces of evidence verify` };
}

function artifactText(artifact: Artifact, words: string, style: Style): string {
  const ordered = artifact.evidence.toSorted((a, b) =>
    a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : (a.ledgerIndex ?? 0) - (b.ledgerIndex ?? 0),
  );
  const rows = ordered.map(({ kind, verified, problem, key, ledgerIndex, referrer }) => [
    kind,
    paintState(style, verified ? 'verified' : 'failed'),
    key ?? '-',
    ledgerIndex === null ? '-' : String(ledgerIndex),
    shortDigest(referrer),
    problem === null ? '' : oneLine(problem),
  ]);
  const head = pairs([
    ['digest', artifact.digest],
    ['image', `${artifact.service} (${artifact.repository}), ${bytes(artifact.sizeBytes)}`],
    ['commit', artifact.commit],
    ['runs in', artifact.runningIn.join(', ') || 'nowhere'],
  ]);
  const evidence =
    rows.length === 0
      ? ''
      : `\n${table(['EVIDENCE', 'STATE', 'KEY', 'LEDGER', 'REFERRER', 'PROBLEM'], rows)}`;
  return `${words}\n${head}${evidence}`;
}
