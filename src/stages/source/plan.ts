/** What a look at a branch showed. */
export interface BranchObservation {
  /** From the head back along first parents, newest first; not empty. */
  chain: readonly string[];
  /** Those of the chain that were recorded before. */
  known: ReadonlySet<string>;
  /** Those of the chain that have a release. */
  released: ReadonlySet<string>;
  /** False before the first commit of the service was recorded. */
  seenBefore: boolean;
  releases: 'latest' | 'every';
}

export interface BranchPlan {
  /** Commits to record, oldest first. */
  record: readonly string[];
  /** Commits to release, oldest first. */
  release: readonly string[];
}

/**
 * New are the commits before the first known one; on the first look only the head, since history is not news. `latest`
 * releases the head, and so also a branch that was set back to a commit that never had a release; `every` releases what is
 * new, in order.
 */
export function planBranch(observation: BranchObservation): BranchPlan {
  const { chain, known, released, seenBefore, releases } = observation;
  const firstKnown = chain.findIndex((sha) => known.has(sha));
  const fresh = seenBefore ? chain.slice(0, firstKnown < 0 ? chain.length : firstKnown) : chain.slice(0, 1);
  const head = chain[0] as string;
  const record = fresh.filter((sha) => !known.has(sha)).reverse();
  const wanted = releases === 'every' && record.length > 0 ? record : [head];
  return { record, release: wanted.filter((sha) => !released.has(sha)) };
}
