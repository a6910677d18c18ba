import type { PlatformConfig } from '../../kernel/config.ts';
import type { Api } from '../api/client.ts';
import type { Release } from '../api/types.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../errors.ts';
import { aboutService } from '../find.ts';
import { oneLine } from '../output/clean.ts';
import type { Run } from '../spec.ts';
import { follow, type WatchOptions, watchOptions } from '../watch/follow.ts';
import { lookAtRelease, type ReleaseSight } from '../watch/release.ts';

export const release: Run = async (context, input) => {
  const { output } = context;
  const [service = '', commit] = input.args;
  const options = watchOptions(input);
  const api = await context.api();
  const created = await createRelease(api, service, commit);
  if (input.flag('watch')) return watchRelease(context, created.id, options);
  const text = `release ${created.number} of ${created.service}: ${created.status}, ${created.commit.sha.slice(0, 12)} ${oneLine(created.commit.message.split('\n')[0] ?? '')} (${created.id})`;
  await output.result({ ...created, event: 'release', exit: EXIT.ok }, text);
  output.note(`follow it: slipway release ${service} ${created.commit.sha.slice(0, 12)} --watch`);
  return EXIT.ok;
};

/** Makes the release of a commit, or finds the one it has. */
export async function createRelease(api: Api, service: string, commit: string | undefined): Promise<Release> {
  const path = { service };
  const wanted =
    commit ??
    (
      await aboutService(
        api,
        service,
        api.call(api.client.GET('/v1/services/{service}', { params: { path } })),
      )
    ).branch;
  const { id } = await aboutService(
    api,
    service,
    api.call(
      api.patient.POST('/v1/services/{service}/releases', { params: { path }, body: { commit: wanted } }),
    ),
  );
  return readRelease(api, id);
}

export function readRelease(api: Api, id: string): Promise<Release> {
  return api.call(api.client.GET('/v1/releases/{release}', { params: { path: { release: id } } }));
}

function watchRelease(context: Context, id: string, options: WatchOptions): Promise<number> {
  let before: ReleaseSight | null = null;
  return follow(context, {
    topics: 'entries',
    options,
    again: 'slipway status',
    async look(api) {
      const now = await seeRelease(api, id);
      const look = lookAtRelease(before, now, options.failFast);
      before = now;
      return look;
    },
  });
}

async function seeRelease(api: Api, id: string): Promise<ReleaseSight> {
  const seen = await readRelease(api, id);
  const { config } = await api.call(api.client.GET('/v1/platform'));
  const build =
    seen.buildId === null
      ? null
      : await api.call(api.client.GET('/v1/builds/{build}', { params: { path: { build: seen.buildId } } }));
  const ids = seen.promotions.flatMap(({ rolloutId }) => (rolloutId === null ? [] : [rolloutId]));
  const rollouts = await Promise.all(
    ids.map((rollout) =>
      api.call(api.client.GET('/v1/rollouts/{rollout}', { params: { path: { rollout } } })),
    ),
  );
  return { release: seen, build, rollouts, environments: (config as PlatformConfig).environments };
}
