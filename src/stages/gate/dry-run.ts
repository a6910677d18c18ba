import type { PolicyConfig } from '../../kernel/config.ts';
import type { Outcome, PolicyResult } from '../../kernel/decision.ts';
import type { Queryable } from '../../platform/postgres/database.ts';
import { prepare } from './judge.ts';
import { type DecisionFilter, listDecisions } from './store.ts';

/** Decisions one dry run looks at. */
export const DRY_RUN_LIMIT = 2_000;
const PAGE = 200;

export interface DryRunChange {
  decision: string;
  service: string;
  environment: string;
  digest: string;
  atMs: number;
  was: Outcome;
  wouldBe: Outcome;
  /** What speaks against it under the other policies. */
  results: readonly PolicyResult[];
}

export interface DryRun {
  looked: number;
  /** Let through then, stopped under these policies. */
  stopped: DryRunChange[];
  /** Stopped then, let through under these policies. */
  released: DryRunChange[];
}

/**
 * Judges the recorded inputs of past decisions under other policies, newest first: which past releases would these have
 * stopped? Inputs are taken as they were recorded, so the answer does not depend on today's registry.
 */
export async function dryRun(
  deps: { database: Queryable },
  policies: readonly PolicyConfig[],
  options: Pick<DecisionFilter, 'sinceMs' | 'service' | 'environment' | 'limit'>,
): Promise<DryRun> {
  const judge = prepare(policies);
  const run: DryRun = { looked: 0, stopped: [], released: [] };
  const most = Math.min(options.limit, DRY_RUN_LIMIT);
  let before: string | undefined;
  while (run.looked < most) {
    const page = await listDecisions(deps.database, {
      ...options,
      before,
      limit: Math.min(PAGE, most - run.looked),
    });
    for (const decision of page) {
      const { outcome, results } = judge(decision.inputs);
      const change = {
        decision: decision.id,
        service: decision.service,
        environment: decision.environment,
        digest: decision.digest,
        atMs: decision.atMs,
        was: decision.outcome,
        wouldBe: outcome,
        results: results.filter((result) => result.outcome !== 'allow'),
      };
      if (decision.outcome !== 'deny' && outcome === 'deny') run.stopped.push(change);
      if (decision.outcome === 'deny' && outcome !== 'deny') run.released.push(change);
    }
    run.looked += page.length;
    before = page.at(-1)?.id;
    if (page.length === 0) break;
  }
  return run;
}
