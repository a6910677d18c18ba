import type { Promotion, Rollout } from '../api/types.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import { duration } from '../output/time.ts';
import { follow, type Look, type WatchOptions } from './follow.ts';
import { changes, standing } from './rollout.ts';

/** Exit code of each way a promotion can end. */
const ENDS: Readonly<Record<string, number>> = {
  succeeded: EXIT.ok,
  denied: EXIT.refused,
  rejected: EXIT.refused,
  'rolled-back': EXIT.refused,
  failed: EXIT.internal,
  expired: EXIT.timedOut,
  cancelled: EXIT.cancelled,
  superseded: EXIT.cancelled,
};

export function exitOfPromotion(status: string): number {
  return ENDS[status] ?? EXIT.internal;
}

/** `awaiting-approval: needs 1 more …; approve with: …`. */
export function promotionWords({ id, status, reason }: Pick<Promotion, 'id' | 'status' | 'reason'>): string {
  const ask = status === 'awaiting-approval' ? `; slipway approve ${id}` : '';
  return `${status}${reason ? `: ${oneLine(reason)}` : ''}${ask}`;
}

/** One look at a promotion and its rollout, against the look before. Pure. */
export function lookAtPromotion(
  before: { promotion: Promotion; rollout: Rollout | null } | null,
  now: { promotion: Promotion; rollout: Rollout | null },
  failFast: boolean,
): Look {
  const { promotion, rollout } = now;
  const place = `${promotion.service}/${promotion.environment}`;
  const words = promotionWords(promotion);
  const moved = before === null || promotionWords(before.promotion) !== words;
  const lines =
    moved && promotion.endedAt === null && promotion.status !== 'rolling' ? [`${place}: ${words}`] : [];
  if (rollout !== null) lines.push(...changes(before?.rollout ?? null, rollout));
  const code = exitOfPromotion(promotion.status);
  const turning = failFast && rollout !== null && rollout.turnedBack !== null && promotion.endedAt === null;
  return {
    lines,
    events:
      moved || rolloutMoved(before?.rollout ?? null, rollout)
        ? [{ event: 'change', exit: null, ...promotion }]
        : [],
    now:
      rollout !== null && promotion.endedAt === null
        ? `${place}: ${standing(rollout)}`
        : `${place}: ${words}`,
    pending: promotion.status === 'awaiting-approval' || rollout?.paused != null,
    end:
      promotion.endedAt !== null
        ? { code, text: promotionText(promotion), event: { event: 'end', exit: code, ...promotion } }
        : turning
          ? {
              code: EXIT.refused,
              text: `${place}: turning back: ${oneLine(rollout.turnedBack?.reason ?? '')}`,
              event: { event: 'end', exit: EXIT.refused, ...promotion },
            }
          : null,
  };
}

function rolloutMoved(before: Rollout | null, now: Rollout | null): boolean {
  return before?.generation !== now?.generation;
}

export function promotionText(promotion: Promotion): string {
  const { service, environment, status, reason, createdAt, endedAt } = promotion;
  const took = endedAt === null ? '' : ` after ${duration(Date.parse(endedAt) - Date.parse(createdAt))}`;
  const why = reason && status !== 'succeeded' ? `: ${oneLine(reason)}` : '';
  return `${service}/${environment}: ${status}${took}${why} (${promotion.id})`;
}

export function watchPromotion(
  context: Context,
  promotion: Promotion,
  options: WatchOptions,
): Promise<number> {
  const { id } = promotion;
  let before: { promotion: Promotion; rollout: Rollout | null } | null = null;
  return follow(context, {
    topics: 'entries',
    options,
    again: promotion.rolloutId
      ? `slipway rollout watch ${promotion.rolloutId}`
      : `slipway status ${promotion.service}`,
    async look(api) {
      const path = { promotion: id };
      const fresh = await api.call(api.client.GET('/v1/promotions/{promotion}', { params: { path } }));
      const rollout =
        fresh.rolloutId === null
          ? null
          : await api.call(
              api.client.GET('/v1/rollouts/{rollout}', { params: { path: { rollout: fresh.rolloutId } } }),
            );
      const now = { promotion: fresh, rollout };
      const look = lookAtPromotion(before, now, options.failFast);
      before = now;
      return look;
    },
  });
}
