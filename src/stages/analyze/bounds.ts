import { SlipwayError } from '../../kernel/errors.ts';

/** Counts come from counters over the network: anything that is not a count is refused, never read as zero. */
export function checkCounts(nc: number, ec: number, nb: number, eb: number): void {
  // One comparison chain keeps the hot path short: NaN fails every comparison.
  if (ec >= 0 && ec <= nc && nc < Infinity && eb >= 0 && eb <= nb && nb < Infinity) return;
  throw new SlipwayError('invalid_input', `Not counts of a look: ${nc}, ${ec}, ${nb}, ${eb}`, {
    hint: 'Each arm needs finite numbers with 0 <= bad <= requests.',
  });
}

export function checkPositive(value: number, what: string): void {
  if (value > 0 && value < Infinity) return;
  throw new SlipwayError('invalid_input', `${what} must be finite and above 0`);
}

export function checkShare(value: number, what: string): void {
  if (value >= 0 && value <= 1) return;
  throw new SlipwayError('invalid_input', `${what} must be a share between 0 and 1`);
}
