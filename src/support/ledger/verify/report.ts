/** One thing that is wrong in the stored ledger. */
export interface LedgerProblem {
  where: 'entry' | 'tile' | 'checkpoint' | 'pending' | 'head';
  /** Entry index, `level/index` of a tile, size of a checkpoint, pending id. */
  at: string;
  problem: string;
}

export interface LedgerReport {
  ok: boolean;
  /** Entries read. */
  size: number;
  /** Hex; of the tree over the bodies as they are stored. */
  root: string;
  checkpoints: number;
  problems: LedgerProblem[];
  /** True when there were more problems than are listed. */
  truncated: boolean;
}

const MAX_PROBLEMS = 200;

/** Collects what is wrong; the first of each place is kept, so that one flipped byte is named once. */
export class Findings {
  readonly problems: LedgerProblem[] = [];
  truncated = false;
  readonly #seen = new Set<string>();

  add(where: LedgerProblem['where'], at: string | number, problem: string): void {
    const place = `${where} ${at}`;
    if (this.#seen.has(place)) return;
    if (this.problems.length >= MAX_PROBLEMS) {
      this.truncated = true;
      return;
    }
    this.#seen.add(place);
    this.problems.push({ where, at: String(at), problem });
  }

  has(where: LedgerProblem['where'], at: string | number): boolean {
    return this.#seen.has(`${where} ${at}`);
  }
}
