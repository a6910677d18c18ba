import type { Rollout } from '../api/types.ts';
import type { Context } from '../context.ts';
import { findRollout } from '../find.ts';
import type { Run } from '../spec.ts';
import { follow, type WatchOptions, watchOptions } from '../watch/follow.ts';
import { lookAtRollout } from '../watch/rollout.ts';

export const watch: Run = async (context, input) => {
  const options = watchOptions(input);
  const { id } = await findRollout(await context.api(), input.args[0] ?? '', { active: false });
  return watchRollout(context, id, options);
};

export function watchRollout(context: Context, id: string, options: WatchOptions): Promise<number> {
  let before: Rollout | null = null;
  return follow(context, {
    topics: `rollout:${id}`,
    options,
    again: `slipway rollout watch ${id}`,
    async look(api) {
      const now = await api.call(
        api.client.GET('/v1/rollouts/{rollout}', { params: { path: { rollout: id } } }),
      );
      const look = lookAtRollout(before, now, options.failFast);
      before = now;
      return look;
    },
  });
}
