import type { BuildStepConfig } from '../../../kernel/config.ts';
import { literalPrefixes } from '../glob.ts';
import type { RunContext } from './context.ts';

/**
 * The time a step is told and its outputs belong to, in seconds. A step that sees the whole source has the commit's. One with
 * narrow inputs has the time those last changed: then its outputs are the same for every later commit that leaves them
 * alone, whether they come from the cache or are made anew. `known` is false when that time cannot be told: the
 * commit's is used, and may not enter the cache key.
 */
export async function stepEpoch(
  context: RunContext,
  step: BuildStepConfig,
  needs: readonly number[],
): Promise<{ epochS: number; known: boolean }> {
  if (step.inputs.length === 0) return { epochS: context.commitS, known: true };
  const own = await pathsEpoch(context, step.inputs);
  if (own === null) return { epochS: context.commitS, known: false };
  return { epochS: Math.max(own, ...needs), known: true };
}

/** When anything the patterns name last changed, up to this commit; null when the source cannot tell. */
export async function pathsEpoch(context: RunContext, patterns: readonly string[]): Promise<number | null> {
  const { deps, service, commit, commitS } = context;
  if (!deps.lastChanged) return null;
  const paths = [...new Set(patterns.flatMap(literalPrefixes))];
  if (paths.includes('')) return commitS;
  const changed = await deps.lastChanged(service, commit, paths);
  return changed === null ? null : Math.min(changed, commitS);
}
