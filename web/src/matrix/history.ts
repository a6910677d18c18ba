import type { Matrix } from '../api/types.ts';

/** Requests per second of each lane over the last minute this page was open; null where there was no sample. */
const KEPT = 60;
const history = new Map<string, (number | null)[]>();

export function record(matrix: Matrix): void {
  for (const service of matrix.services) {
    for (const cell of service.cells) {
      const key = `${cell.service}/${cell.environment}`;
      if (cell.sample === null && !history.has(key)) continue;
      const values = history.get(key) ?? [];
      values.push(cell.sample === null ? null : totalRps(cell.sample));
      if (values.length > KEPT) values.shift();
      history.set(key, values);
    }
  }
}

export function historyOf(service: string, environment: string): readonly (number | null)[] {
  return history.get(`${service}/${environment}`) ?? [];
}

type Sample = NonNullable<Matrix['services'][number]['cells'][number]['sample']>;

/** The figures of the group with most of the traffic: while a rollout ends, that is no longer the stable one. */
export function mainGroup(sample: Sample): Sample['groups']['stable'] {
  const { stable, canary } = sample.groups;
  if (stable === undefined || canary === undefined) return stable ?? canary;
  return canary.rps > stable.rps ? canary : stable;
}

export function totalRps(sample: Sample): number {
  const { stable, baseline, canary } = sample.groups;
  return (stable?.rps ?? 0) + (baseline?.rps ?? 0) + (canary?.rps ?? 0);
}
