import { appendLeaf, type CompactTree, emptyTree, rootOf } from '../merkle.ts';
import type { JudgedCheckpoint } from './checkpoints.ts';
import type { Findings } from './report.ts';

/** The three places a leaf hash can be read from; null where there is nothing. */
export interface LeafSources {
  /** Hashed now from the stored body. */
  body: Buffer | null;
  /** The column beside the body. */
  column: Buffer | null;
  /** The leaf tile. */
  tile: Buffer | null;
}

const SOURCES = ['body', 'column', 'tile'] as const;
type Source = (typeof SOURCES)[number];

/**
 * Follows the log from checkpoint to checkpoint. While the three sources agree there is one tree; where they differ each
 * gets its own, and the next signed root says which of them told the truth, so that exactly the others are blamed.
 */
export class LeafJudge {
  #trees: Record<Source, CompactTree> | null = null;
  #tree = emptyTree();
  #suspects: { index: number; sources: LeafSources }[] = [];
  #segmentStart = 0;
  #lost = 0;
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  add(index: number, sources: LeafSources): void {
    const { body, column, tile } = sources;
    const agree = body !== null && column?.equals(body) === true && tile?.equals(body) === true;
    if (!agree) {
      this.#trees ??= { body: copy(this.#tree), column: copy(this.#tree), tile: copy(this.#tree) };
      if (this.#suspects.length < 1_000) this.#suspects.push({ index, sources });
    }
    if (!this.#trees) {
      appendLeaf(this.#tree, body as Buffer);
      return;
    }
    for (const source of SOURCES) {
      const leaf = sources[source] ?? tile ?? body ?? Buffer.alloc(32);
      appendLeaf(this.#trees[source], leaf);
    }
  }

  /** To be called when exactly `checkpoint.size` leaves were added. */
  meet(checkpoint: JudgedCheckpoint): void {
    const trees = this.#trees ?? { body: this.#tree, column: this.#tree, tile: this.#tree };
    const truth = SOURCES.find((source) => rootOf(trees[source]).equals(checkpoint.root));
    if (truth === undefined) this.#blameSegment(checkpoint);
    for (const suspect of this.#suspects) this.#blame(suspect.index, suspect.sources, truth);
    this.#tree = trees[truth ?? 'body'];
    this.#trees = null;
    this.#suspects = [];
    this.#segmentStart = checkpoint.size;
  }

  /** After the last leaf: what no checkpoint settled. Returns the root over the bodies. */
  finish(): Buffer {
    for (const suspect of this.#suspects) this.#blame(suspect.index, suspect.sources, undefined);
    if (this.#lost > 1) {
      this.#findings.add(
        'checkpoint',
        'later',
        `${this.#lost - 1} later checkpoints do not fit the entries either`,
      );
    }
    return rootOf(this.#trees?.body ?? this.#tree);
  }

  #blameSegment(checkpoint: JudgedCheckpoint): void {
    this.#lost += 1;
    // Once the tree went wrong every later root differs: only the first says where.
    if (this.#lost > 1) return;
    const [first, last] = [this.#segmentStart, checkpoint.size - 1];
    const which = first === last ? `entry ${first} does` : `the entries ${first} to ${last} do`;
    this.#findings.add('checkpoint', checkpoint.size, `${which} not have the signed root`);
  }

  #blame(index: number, { body, column, tile }: LeafSources, truth: Source | undefined): void {
    const right = truth === undefined ? null : ({ body, column, tile }[truth] ?? tile);
    const differs = (hash: Buffer | null) => hash !== null && (right === null || !hash.equals(right));
    if (body === null) this.#findings.add('entry', index, 'the entry is missing');
    else if (truth !== 'body' && differs(body)) {
      this.#findings.add(
        'entry',
        index,
        right ? 'its body is not the one that was signed' : 'its body does not have its hash',
      );
    } else if (differs(column))
      this.#findings.add('entry', index, 'its column leaf_hash is not the hash of its body');
    if (truth !== undefined && differs(tile)) {
      this.#findings.add(
        'tile',
        `0/${Math.floor(index / 256)}`,
        `it does not hold the hash of entry ${index}`,
      );
    }
  }
}

function copy(tree: CompactTree): CompactTree {
  return { size: tree.size, peaks: [...tree.peaks] };
}
