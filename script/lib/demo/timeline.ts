import type { Api, Entry } from './api.ts';
import type { Load } from './load.ts';

/** The running account of the demo on stderr: one line a change of state. */
export interface Timeline {
  say(who: string, message: string): void;
  follow(api: Api, signal: AbortSignal): Promise<void>;
  watchLoad(load: Load): void;
  stop(): void;
}

const LOAD_EVERY_MS = 10_000;

export function createTimeline(): Timeline {
  const startedAtMs = Date.now();
  let timer: NodeJS.Timeout | undefined;
  const say = (who: string, message: string) => {
    const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1).padStart(6);
    process.stderr.write(`${seconds} s  ${who.padEnd(8)} ${message}\n`);
  };
  const versions = new Map<string, number>();
  return {
    say,
    async follow(api, signal) {
      await api.entries((entry) => {
        const line = describe(entry, versions);
        if (line !== null) say(line.who, line.text);
      }, signal);
    },
    watchLoad(load) {
      timer = setInterval(() => {
        const { answered, failedByApp, lost } = load.counters();
        say('load', `${answered} answered, ${failedByApp} failed by the shop, ${lost} lost`);
      }, LOAD_EVERY_MS);
    },
    stop: () => clearInterval(timer),
  };
}

interface State {
  phase: string;
  stepIndex: number;
  weights: { canary: number; baseline: number; stable: number };
  turnedBack: { reason: string } | null;
}

const seen = new Map<string, string>();

function describe(entry: Entry, versions: Map<string, number>): { who: string; text: string } | null {
  const data = entry.body?.data ?? {};
  const where = entry.environment ?? '';
  switch (entry.kind) {
    case 'release.created':
      versions.set(entry.subject, Number(data.number));
      return {
        who: 'release',
        text: `release ${data.number} of ${entry.service} from ${String(data.commit).slice(0, 12)}`,
      };
    case 'release.built':
      return {
        who: 'build',
        text: `release ${versions.get(entry.subject)} is ${String(data.digest).slice(0, 19)}, with signed evidence`,
      };
    case 'release.failed':
      return { who: 'build', text: `release ${versions.get(entry.subject)} failed: ${data.problem}` };
    case 'gate.decided':
      return {
        who: 'gate',
        text: `${where}: ${data.outcome}${data.outcome === 'deny' ? `, ${denials(data)}` : ''}`,
      };
    case 'rollout.created':
      return { who: where, text: `rollout of ${String(data.digest).slice(0, 19)}` };
    case 'rollout.changed':
      return describeChange(entry, data, where);
    case 'rollout.ended':
      return { who: where, text: `${(data.state as State).phase}: ${(data.reasons as string[])[0]}` };
    default:
      return null;
  }
}

function describeChange(
  entry: Entry,
  data: Record<string, unknown>,
  where: string,
): { who: string; text: string } | null {
  const { phase, weights, turnedBack } = data.state as State;
  const headline = `${phase} ${weights.canary} % canary, ${weights.baseline} % baseline, ${weights.stable} % stable`;
  if (seen.get(entry.subject) === headline) return null;
  seen.set(entry.subject, headline);
  const reason = turnedBack?.reason ?? (data.reasons as string[])[0] ?? '';
  return { who: where, text: `${headline}  (${reason})` };
}

function denials(data: Record<string, unknown>): string {
  const results = (data.results ?? []) as { policy: string; outcome: string; reason?: string }[];
  return results
    .filter((result) => result.outcome === 'deny')
    .map((result) => result.reason ?? result.policy)
    .join(' ');
}
