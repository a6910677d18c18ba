const FULL_DECK = 100;

/**
 * Draws indices in proportion to `weights` (percent, summing to 100) with low variance: a deck holds every index as
 * often as its weight says, spread evenly with random jitter. Shares are exact at the end of each deck and at most about
 * two requests off inside it, yet a client with a period of its own cannot fall into step with the draw, which would
 * give one arm of a comparison all requests of one kind. Fractions of a card are carried into the next deck.
 */
export class Deck {
  readonly #weights: readonly number[];
  readonly #random: () => number;
  readonly #size: number;
  readonly #carry: number[];
  #cards: number[] = [];
  #next = 0;

  constructor(weights: readonly number[], random: () => number) {
    this.#weights = weights;
    this.#random = random;
    this.#carry = weights.map(() => 0);
    this.#size = deckSize(weights);
  }

  draw(): number {
    if (this.#next === this.#cards.length) {
      this.#cards = this.#shuffle();
      this.#next = 0;
    }
    return this.#cards[this.#next++]!;
  }

  #shuffle(): number[] {
    const placed: { index: number; position: number }[] = [];
    for (const [index, count] of this.#counts().entries()) {
      for (let i = 0; i < count; i++) placed.push({ index, position: (i + this.#random()) / count });
    }
    return placed.sort((a, b) => a.position - b.position).map((card) => card.index);
  }

  /** Cards per index for one deck: largest remainder, with what was owed before. */
  #counts(): number[] {
    const wanted = this.#weights.map((weight, i) => (weight * this.#size) / FULL_DECK + this.#carry[i]!);
    const counts = wanted.map((share) => Math.max(0, Math.floor(share + 1e-9)));
    let missing = this.#size - counts.reduce((sum, count) => sum + count, 0);
    const order = wanted.map((share, i) => ({ i, rest: share - counts[i]! })).sort((a, b) => b.rest - a.rest);
    for (const { i } of order) {
      if (missing <= 0 || this.#weights[i] === 0) continue;
      counts[i]!++;
      missing--;
    }
    for (const [i, share] of wanted.entries())
      this.#carry[i] = this.#weights[i] === 0 ? 0 : share - counts[i]!;
    return counts;
  }
}

/** The shortest deck in which whole weights come out exactly: 90/10 needs 10 cards, 95/5 needs 20. */
function deckSize(weights: readonly number[]): number {
  if (weights.some((weight) => !Number.isInteger(weight))) return FULL_DECK;
  return FULL_DECK / weights.reduce(greatestCommonDivisor, FULL_DECK);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
