/** Times of one kind, told at the end as min, median and max. */
export class Times {
  readonly #what: string;
  readonly #all: number[] = [];

  constructor(what: string) {
    this.#what = what;
  }

  add(ms: number): void {
    this.#all.push(ms);
  }

  toString(): string {
    const sorted = [...this.#all].sort((a, b) => a - b);
    if (sorted.length === 0) return `${this.#what}: never measured`;
    const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))]!);
    return `${this.#what}: ${at(0)} / ${at(0.5)} / ${at(1)} ms (min/median/max of ${sorted.length})`;
  }
}
