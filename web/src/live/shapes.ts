import type { Evidence, LedgerEntry, Matrix, Rollout } from '../api/types.ts';

/** Whether an event holds what its page needs to be drawn: a newer server, or something in between, may send another shape. */

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

export function isMatrix(value: unknown): value is Matrix {
  const { at, environments, services } = fieldsOf(value);
  return (
    typeof at === 'string' &&
    Array.isArray(environments) &&
    Array.isArray(services) &&
    services.every((service) => Array.isArray(fieldsOf(service).cells))
  );
}

export function isRollout(value: unknown): value is Rollout {
  const { id, phase, steps, weights, reasons } = fieldsOf(value);
  const lists = Array.isArray(steps) && Array.isArray(reasons);
  return typeof id === 'string' && typeof phase === 'string' && lists && typeof weights === 'object';
}

export function isEvidence(value: unknown): value is { rollout: string; points: Evidence['points'] } {
  const { rollout, points } = fieldsOf(value);
  return (
    typeof rollout === 'string' &&
    Array.isArray(points) &&
    points.every((one) => Array.isArray(fieldsOf(fieldsOf(one).point).metrics))
  );
}

export function isEntry(value: unknown): value is LedgerEntry {
  const { index, kind, at, subject } = fieldsOf(value);
  return (
    Number.isSafeInteger(index) &&
    typeof kind === 'string' &&
    typeof at === 'string' &&
    typeof subject === 'string'
  );
}
