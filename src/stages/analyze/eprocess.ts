import { checkCounts } from './bounds.ts';

/** Log factor of one look for the effect size psi. */
export type Increment = (nc: number, ec: number, nb: number, eb: number, psi: number) => number;

export interface EProcessOptions {
  /** Effect sizes of the mixture. */
  psis: readonly number[];
  /** Weight that starts at once; the rest is spread evenly over the later slots. */
  u0: number;
  /** Start times of the mixture, the first included. */
  slots: number;
}

/** Everything an e-process remembers; plain JSON, so that a crash continues exactly. */
export interface EProcessState {
  /** A_j: log of weight times wealth, one for each psi. */
  logWealth: readonly number[];
  /** Weight not started yet. */
  unused: number;
  /** Slots started, the first included. */
  slot: number;
  /** Counts of looks that lacked one arm, waiting for the next look: nc, ec, nb, eb. */
  pending: readonly [number, number, number, number];
}

/**
 * A mixture e-process over effect sizes and start times (analysis.md C; Shin, Ramdas, Rinaldo 2023). While H0 holds it
 * stays below 1/alpha for ever with probability 1 - alpha, at whatever times it is looked at.
 */
export class EProcess {
  private readonly options: EProcessOptions;
  private readonly logWealth: number[];
  private unused: number;
  private slot: number;
  private pending: [number, number, number, number];

  constructor(options: EProcessOptions, state?: EProcessState) {
    this.options = options;
    if (state === undefined) {
      const { psis, u0 } = options;
      this.logWealth = psis.map(() => Math.log(u0 / psis.length));
      this.unused = 1 - u0;
      this.slot = 1;
      this.pending = [0, 0, 0, 0];
    } else {
      this.logWealth = [...state.logWealth];
      this.unused = state.unused;
      this.slot = state.slot;
      this.pending = [...state.pending];
    }
  }

  /** Puts the next share of the weight to work: once a minute, or at a weight step. Without effect when all slots have started. */
  startSlot(): void {
    const { psis, u0, slots } = this.options;
    if (this.slot >= slots) return;
    const share = (1 - u0) / (slots - 1);
    this.slot += 1;
    this.unused = this.slot === slots ? 0 : Math.max(0, this.unused - share);
    const start = Math.log(share / psis.length);
    for (let j = 0; j < psis.length; j++) this.logWealth[j] = logAddExp(this.logWealth[j] as number, start);
  }

  /** Takes the counts of one look; returns ln E. A look without requests in one arm is pooled into the next. */
  look(nc: number, ec: number, nb: number, eb: number, increment: Increment): number {
    checkCounts(nc, ec, nb, eb);
    const pending = this.pending;
    const n = nc + pending[0];
    const e = ec + pending[1];
    const m = nb + pending[2];
    const f = eb + pending[3];
    if (n === 0 || m === 0) {
      this.pending = [n, e, m, f];
      return this.logE();
    }
    const { psis } = this.options;
    for (let j = 0; j < psis.length; j++) this.logWealth[j]! += increment(n, e, m, f, psis[j] as number);
    pending.fill(0);
    return this.logE();
  }

  /** ln E now. */
  logE(): number {
    let max = this.unused > 0 ? Math.log(this.unused) : -Infinity;
    for (const a of this.logWealth) if (a > max) max = a;
    let sum = this.unused > 0 ? Math.exp(Math.log(this.unused) - max) : 0;
    for (const a of this.logWealth) sum += Math.exp(a - max);
    return max + Math.log(sum);
  }

  toJSON(): EProcessState {
    return {
      logWealth: [...this.logWealth],
      unused: this.unused,
      slot: this.slot,
      pending: [...this.pending],
    };
  }
}

export function logAddExp(a: number, b: number): number {
  const high = Math.max(a, b);
  return high + Math.log1p(Math.exp(Math.min(a, b) - high));
}
