import type { LedgerEntry } from '../api/types.ts';

/** What the ledger entries of a rollout tell beside its row: when the step settled, and which instances there are. Pure. */

export interface Instance {
  id: string;
  group: 'stable' | 'baseline' | 'canary';
  state: 'started' | 'serving' | 'draining' | 'stopped';
}

interface Action {
  kind?: unknown;
  id?: unknown;
  group?: unknown;
  backends?: unknown;
}

function dataOf(entry: LedgerEntry): { actions: readonly Action[]; state: Record<string, unknown> } {
  const data = (entry.body?.data ?? {}) as Record<string, unknown>;
  return {
    actions: Array.isArray(data.actions) ? (data.actions as Action[]) : [],
    state: (data.state ?? {}) as Record<string, unknown>,
  };
}

/** When the weight of the current step was seen at the data plane; null while it moves. */
export function stepSettledAt(entries: readonly LedgerEntry[], stepIndex: number): number | null {
  const last = entries.findLast(
    (entry) => entry.kind === 'rollout.changed' || entry.kind === 'rollout.ended',
  );
  if (last === undefined) return null;
  const { state } = dataOf(last);
  return state.stepIndex === stepIndex && typeof state.stepSettledAtMs === 'number'
    ? state.stepSettledAtMs
    : null;
}

/** The highest share of traffic the new version had, in percent. */
export function peakWeight(entries: readonly LedgerEntry[]): number {
  return entries.reduce((most, entry) => {
    const weights = (dataOf(entry).state.weights ?? {}) as Record<string, unknown>;
    return typeof weights.canary === 'number' ? Math.max(most, weights.canary) : most;
  }, 0);
}

/** Every instance the rollout touched, by the last thing asked of it. */
export function instancesOf(entries: readonly LedgerEntry[]): Instance[] {
  const instances = new Map<string, Instance>();
  const put = (id: string, change: Partial<Instance>) =>
    instances.set(id, { id, group: 'stable', state: 'started', ...instances.get(id), ...change });
  for (const entry of entries) {
    for (const action of dataOf(entry).actions) {
      const id = typeof action.id === 'string' ? action.id : '';
      if (action.kind === 'start-instance' && id !== '')
        put(id, { group: groupOf(action.group), state: 'started' });
      else if (action.kind === 'stop-instance' && id !== '') put(id, { state: 'stopped' });
      else if (action.kind === 'route' && Array.isArray(action.backends)) {
        for (const backend of action.backends) {
          const [name, state] = String(backend).split(':');
          if (name) put(name, { state: state === 'draining' ? 'draining' : 'serving' });
        }
      }
    }
  }
  return [...instances.values()];
}

function groupOf(value: unknown): Instance['group'] {
  return value === 'canary' || value === 'baseline' ? value : 'stable';
}
