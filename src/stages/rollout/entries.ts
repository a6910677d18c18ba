import type { EntryBody } from '../../kernel/event.ts';
import { splitLane } from '../../kernel/ids.ts';
import { isTerminal } from '../../kernel/rollout.ts';
import type { Action } from './situation.ts';
import type { ChangedPass } from './store.ts';

export interface RolloutEntry {
  kind: EntryBody['kind'];
  atMs: number;
  actor: string;
  service?: string;
  environment?: string;
  subject: string;
  data: Record<string, unknown>;
}

/** An entry holds 65,535 bytes: lists that grow with the fleet, and words of instances, are cut to these. */
const MOST_ACTIONS = 100;
const MOST_BACKENDS = 100;
const MOST_REASONS = 10;
const REASON_CHARACTERS = 1_000;

/**
 * The ledger entry of a pass; null when it changed neither the state nor the data plane. `data.state` is the whole state,
 * so the last entry of a rollout is what its row holds.
 */
export function entryOf(
  { active, plan }: ChangedPass,
  stateChanged: boolean,
  nowMs: number,
): RolloutEntry | null {
  const { next, actions, reasons } = plan;
  if (!stateChanged && actions.length === 0) return null;
  const { rollout, state, request, generation } = active;
  const turned = next.turnedBack !== null && state.turnedBack === null ? next.turnedBack.by : null;
  return {
    kind: isTerminal(next.phase) ? 'rollout.ended' : 'rollout.changed',
    atMs: nowMs,
    actor: turned ?? request?.actor ?? 'system:worker',
    ...splitLane(rollout.lane),
    subject: rollout.id,
    data: {
      digest: rollout.digest,
      previousDigest: rollout.previousDigest,
      generation: generation + 1,
      state: next,
      actions: briefActions(actions),
      reasons: reasons.slice(0, MOST_REASONS).map((reason) => reason.slice(0, REASON_CHARACTERS)),
    },
  };
}

/** Actions in few words; beyond a hundred only their number. */
export function briefActions(actions: readonly Action[]): Record<string, unknown>[] {
  const shown: Record<string, unknown>[] = actions.slice(0, MOST_ACTIONS).map(brief);
  if (actions.length > MOST_ACTIONS) shown.push({ kind: 'more', count: actions.length - MOST_ACTIONS });
  return shown;
}

function brief(action: Action): Record<string, unknown> {
  if (action.kind !== 'route') return { ...action };
  const { kind, weights, backends } = action;
  const names = backends.slice(0, MOST_BACKENDS).map((backend) => `${backend.id}:${backend.state}`);
  const more = backends.length - names.length;
  return { kind, weights, backends: more > 0 ? [...names, `and ${more} more`] : names };
}

/** The planner hands an unchanged state on as it is, so most passes are told by one comparison. */
export function changesState({ active, plan }: Pick<ChangedPass, 'active' | 'plan'>): boolean {
  return plan.next !== active.state && JSON.stringify(plan.next) !== JSON.stringify(active.state);
}
