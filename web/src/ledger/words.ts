import type { LedgerEntry } from '../api/types.ts';
import { plural, shortCommit, shortDigest } from '../format/names.ts';
import type { Tone } from '../rollout/words.ts';

/** What an entry says, for people. Its data is shown as it is below; nothing here is needed to check it. */
export interface EntryWords {
  title: string;
  detail: string;
  tone: Tone;
}

type Data = Readonly<Record<string, unknown>>;

export function entryWords(entry: LedgerEntry): EntryWords {
  const data = (entry.body?.data ?? {}) as Data;
  const where = entry.environment === null ? '' : ` in ${entry.environment}`;
  const to = entry.environment === null ? '' : ` to ${entry.environment}`;
  const say = (title: string, detail = '', tone: Tone = 'none'): EntryWords => ({ title, detail, tone });
  switch (entry.kind) {
    case 'platform.applied':
      return say(
        'Platform configuration applied',
        data.commit ? `commit ${shortCommit(text(data.commit))}` : '',
      );
    case 'service.registered':
      return say(`Service ${entry.subject} registered`, text(data.repository));
    case 'commit.seen':
      return say(`Commit ${shortCommit(entry.subject)} seen`, text(data.title));
    case 'release.created':
      return say(`Release ${text(data.number)} created`, `commit ${shortCommit(text(data.commit))}`, 'move');
    case 'release.built':
      return say('Release built', shortDigest(text(data.digest)), 'ok');
    case 'release.failed':
      return say('Release failed', text(data.problem), 'bad');
    case 'release.cancelled':
      return say('Release cancelled', text(data.reason));
    case 'build.started':
      return say('Build started', `commit ${shortCommit(text(data.commit))}`, 'move');
    case 'build.finished':
      return buildFinished(data);
    case 'artifact.registered':
      return say('Artifact registered', `${text(data.repository)} ${shortDigest(entry.subject)}`);
    case 'evidence.attached':
      return say(
        `Evidence attached${where}`,
        `${predicateName(text(data.predicateType))}, key ${text(data.key)}`,
      );
    case 'signature':
      return say('Signature logged', `over ${shortDigest(entry.subject)}`);
    case 'gate.decided':
      return gateDecided(data, where);
    case 'promotion.created':
      return say(`Promotion${to} asked for`, text(data.kind), 'move');
    case 'promotion.changed':
      return say(`Promotion${to}: ${text(data.status)}`, text(data.reason), promotionTone(text(data.status)));
    case 'approval.given':
      return say(`Approved${where}`, text(data.reason), 'ok');
    case 'approval.refused':
      return say(`Refused${where}`, text(data.reason), 'bad');
    case 'rollout.created':
      return say(`Rollout${where} created`, text((data.spec as Data | undefined)?.strategy), 'move');
    case 'rollout.changed':
      return rolloutChanged(data);
    case 'rollout.action':
      return say('Action', text(data.kind ?? data.problem));
    case 'rollout.ended':
      return rolloutEnded(data, where);
    case 'token.created':
      return say(`Token ${text(data.name)} created`);
    case 'token.revoked':
      return say(`Token ${text(data.name)} revoked`);
    case 'key.created':
      return say(`Key ${text(data.name)} created`);
    case 'key.revoked':
      return say(`Key ${text(data.name)} revoked`, '', 'wait');
    case 'tag.deleted':
      return say('Tag deleted', text(data.tag), 'wait');
  }
}

function buildFinished(data: Data): EntryWords {
  if (typeof data.problem === 'string' && data.problem !== '')
    return { title: 'Build failed', detail: data.problem, tone: 'bad' };
  const hits = Number(data.cacheHits ?? 0);
  return { title: 'Build finished', detail: `${plural(hits, 'step')} from the cache`, tone: 'ok' };
}

function gateDecided(data: Data, where: string): EntryWords {
  const outcome = text(data.outcome);
  const against = Array.isArray(data.against) ? data.against.map(String) : [];
  return {
    title: `Gate${where} said ${outcome}`,
    detail:
      against.length > 0
        ? against.join(', ')
        : `${plural(Number(data.policies ?? 0), 'policy', 'policies')} asked`,
    tone: outcome === 'deny' ? 'bad' : outcome === 'warn' ? 'wait' : 'ok',
  };
}

function rolloutChanged(data: Data): EntryWords {
  const state = (data.state ?? {}) as Data;
  const reasons = Array.isArray(data.reasons) ? data.reasons.map(String) : [];
  const weights = (state.weights ?? {}) as Data;
  const weight = typeof weights.canary === 'number' ? `${weights.canary} %` : '';
  const said = weight === '' || reasons.some((reason) => reason.includes(weight));
  const back = state.phase === 'rolling-back';
  const actions = actionsWords(data.actions);
  const parts = (...all: string[]) => all.filter((part) => part !== '').join(' · ');
  // On the way back every entry begins with the same reason: it is said until the traffic has returned.
  if (back && reasons[1] !== undefined)
    return {
      title: reasons[1],
      detail: parts(state.zeroTrafficAtMs === null ? (reasons[0] ?? '') : '', actions),
      tone: 'bad',
    };
  return {
    title: reasons[0] ?? text(state.phase),
    detail: parts(said ? '' : weight, ...reasons.slice(1), actions),
    tone: back ? 'bad' : state.paused ? 'wait' : 'move',
  };
}

function rolloutEnded(data: Data, where: string): EntryWords {
  const state = (data.state ?? {}) as Data;
  const outcome = text(data.outcome ?? state.phase) || 'ended';
  const reasons = Array.isArray(data.reasons) ? data.reasons.map(String) : [];
  return {
    title: `Rollout${where}: ${outcome.replace('-', ' ')}`,
    detail: reasons.join(' · '),
    tone: outcome === 'succeeded' ? 'ok' : 'bad',
  };
}

/** `starts 2 canary, stops 1 baseline`. */
function actionsWords(actions: unknown): string {
  if (!Array.isArray(actions)) return '';
  const counts = new Map<string, number>();
  for (const action of actions as Data[]) {
    const verb =
      action.kind === 'start-instance' ? 'starts' : action.kind === 'stop-instance' ? 'stops' : null;
    if (verb === null) continue;
    const what = `${verb} ${text(action.group)}`.trim();
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, n]) => `${what} × ${n}`).join(', ');
}

function promotionTone(status: string): Tone {
  if (status === 'succeeded') return 'ok';
  if (['denied', 'rejected', 'rolled-back', 'failed', 'expired'].includes(status)) return 'bad';
  if (status === 'awaiting-approval') return 'wait';
  return status === 'rolling' || status === 'gating' ? 'move' : 'none';
}

const PREDICATE_NAMES: readonly [part: string, name: string][] = [
  ['slsa.dev/provenance', 'provenance'],
  ['cyclonedx.org/bom', 'SBOM'],
  ['attestation/test-result', 'test results'],
  ['attestation/vulns', 'vulnerability scan'],
  ['verification_summary', 'gate decision'],
  ['cosign/sign', 'signature'],
];

export function predicateName(type: string): string {
  return PREDICATE_NAMES.find(([part]) => type.includes(part))?.[1] ?? (type || 'evidence');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
