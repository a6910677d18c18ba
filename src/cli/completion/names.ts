import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Api } from '../api/client.ts';
import type { NameKind } from '../spec.ts';

type Named = readonly (readonly [string, string])[];

/** Live names of a kind, each with a few words about it. */
export async function lookUp(
  kind: NameKind,
  args: readonly string[],
  connect: () => Promise<Api>,
): Promise<Named> {
  switch (kind) {
    case 'shell':
      return ['bash', 'zsh', 'fish'].map((shell) => [shell, ''] as const);
    case 'service':
      return services(await connect());
    case 'environment':
      return environments(await connect(), args[0]);
    case 'rollout':
    case 'lane-or-rollout':
      return both(await connect(), lanes, rollouts);
    case 'promotion':
    case 'lane-or-promotion':
      return promotions(await connect());
    case 'release':
      return releases(await connect(), args[0]);
    case 'token':
      return tokens(await connect());
    default:
      return [];
  }
}

async function both(api: Api, ...sources: readonly ((api: Api) => Promise<Named>)[]): Promise<Named> {
  return (await Promise.all(sources.map((source) => source(api)))).flat();
}

async function services(api: Api): Promise<Named> {
  const found = await api.call(api.client.GET('/v1/services'));
  return found.services.map(({ name, branch }) => [name, branch]);
}

async function environments(api: Api, service: string | undefined): Promise<Named> {
  const found = await api.call(
    api.client.GET('/v1/matrix', { params: { query: service === undefined ? {} : { service } } }),
  );
  return found.environments.map(({ name, production }) => [name, production ? 'production' : '']);
}

async function lanes(api: Api): Promise<Named> {
  const found = await api.call(api.client.GET('/v1/matrix'));
  return found.services.flatMap(({ cells }) =>
    cells.map(({ service, environment, health }) => [`${service}/${environment}`, health] as const),
  );
}

async function rollouts(api: Api): Promise<Named> {
  const found = await api.call(api.client.GET('/v1/rollouts', { params: { query: { active: 'true' } } }));
  return found.rollouts.map(({ id, service, environment, phase }) => [
    id,
    `${service}/${environment} ${phase}`,
  ]);
}

async function promotions(api: Api): Promise<Named> {
  const found = await api.call(api.client.GET('/v1/promotions', { params: { query: { open: 'true' } } }));
  return found.promotions.flatMap(({ id, service, environment, status }) => [
    [`${service}/${environment}`, status] as const,
    [id, `${service}/${environment} ${status}`] as const,
  ]);
}

async function releases(api: Api, service: string | undefined): Promise<Named> {
  const query = { limit: 30, ...(service === undefined ? {} : { service }) };
  const found = await api.call(api.client.GET('/v1/releases', { params: { query } }));
  return found.releases.map(({ number, status, commit }) => [
    String(number),
    `${status}, ${commit.message.split('\n')[0] ?? ''}`,
  ]);
}

async function tokens(api: Api): Promise<Named> {
  const found = await api.call(api.client.GET('/v1/tokens'));
  return found.tokens
    .filter(({ state }) => state === 'active')
    .map(({ name, roles }) => [name, roles.join(', ')]);
}

const MAX_FILES = 500;

/** Files and folders that begin with what is typed. */
export async function paths(cwd: string, partial: string): Promise<Named> {
  const folder = partial.endsWith('/') ? partial : partial === '' ? '' : `${dirname(partial)}/`;
  const shown = folder === './' && !partial.startsWith('./') ? '' : folder;
  const entries = await readdir(resolve(cwd, folder || '.'), { withFileTypes: true });
  return entries
    .filter(({ name }) => !name.startsWith('.'))
    .map(
      (entry) =>
        [
          `${shown === '' ? '' : join(shown, '/')}${entry.name}${entry.isDirectory() ? '/' : ''}`,
          '',
        ] as const,
    )
    .filter(([path]) => path.startsWith(partial))
    .slice(0, MAX_FILES);
}
