import { isSlipwayError, SlipwayError } from '../kernel/errors.ts';
import { isId } from '../kernel/ids.ts';
import type { Api } from './api/client.ts';
import type { Matrix, Promotion, Rollout } from './api/types.ts';
import { ApiError, usage } from './errors.ts';
import { closest } from './suggest.ts';

/** Names a person types, and the things they mean. */

export interface LaneName {
  service: string;
  environment: string;
}

/** `service/environment`; null for anything else. */
export function parseLane(text: string): LaneName | null {
  const [, service, environment] = /^([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})$/.exec(text) ?? [];
  return service && environment ? { service, environment } : null;
}

/** The environments, and what of the service is where. Throws `not_found` for names that are not known. */
export async function readPlaces(api: Api, lane: { service: string; environment?: string }): Promise<Matrix> {
  const matrix = await api.call(
    api.client.GET('/v1/matrix', { params: { query: { service: lane.service } } }),
  );
  if (matrix.services.length === 0) throw await unknownService(api, lane.service);
  const names = matrix.environments.map(({ name }) => name);
  const { environment } = lane;
  if (environment !== undefined && !names.includes(environment)) {
    const meant = closest(environment, names);
    throw new SlipwayError('not_found', `there is no environment "${environment}"`, {
      hint: meant ? `did you mean ${meant}?` : `environments: ${names.join(', ')}`,
    });
  }
  return matrix;
}

export async function unknownService(api: Api, service: string): Promise<SlipwayError> {
  const { services } = await api.call(api.client.GET('/v1/services'));
  const names = services.map(({ name }) => name);
  const meant = closest(service, names);
  const hint = meant
    ? `did you mean ${meant}?`
    : names.length > 0
      ? `services: ${names.slice(0, 20).join(', ')}`
      : 'register one with: slipway register <repository>';
  return new SlipwayError('not_found', `there is no service "${service}"`, { hint });
}

/** A call about a service: a 404 for the service itself says which one may have been meant. */
export async function aboutService<T>(api: Api, service: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== 'not_found') throw error;
    const { services } = await api.call(api.client.GET('/v1/services'));
    if (services.some(({ name }) => name === service)) throw error;
    const { hint } = await unknownService(api, service);
    const { requestId, docs } = error instanceof ApiError ? error : { requestId: null, docs: null };
    throw new ApiError('not_found', error.message, {
      ...(hint === undefined ? {} : { hint }),
      requestId,
      docs,
    });
  }
}

/** A rollout by id, or the one of a lane: the active one where there is one, else the latest. */
export async function findRollout(api: Api, text: string, options: { active: boolean }): Promise<Rollout> {
  if (isId(text, 'rol'))
    return api.call(api.client.GET('/v1/rollouts/{rollout}', { params: { path: { rollout: text } } }));
  const lane = parseLane(text);
  if (lane === null) throw usage(`"${text}" is no rollout`, 'give an id (rol_…) or service/environment');
  const query = (active: boolean) =>
    api.call(
      api.client.GET('/v1/rollouts', {
        params: { query: { ...lane, limit: 1, ...(active ? { active: 'true' as const } : {}) } },
      }),
    );
  const rollout =
    (await query(true)).rollouts[0] ?? (options.active ? undefined : (await query(false)).rollouts[0]);
  if (rollout) return rollout;
  await readPlaces(api, lane);
  throw new SlipwayError(
    'not_found',
    `no rollout ${options.active ? 'is active' : 'has ever run'} in ${text}`,
    {
      hint: `see what is there: slipway status ${lane.service}`,
    },
  );
}

/** A promotion by id, or the one of a lane that waits for approval. */
export async function findPromotion(api: Api, text: string): Promise<Promotion> {
  if (isId(text, 'pro'))
    return api.call(api.client.GET('/v1/promotions/{promotion}', { params: { path: { promotion: text } } }));
  const lane = parseLane(text);
  if (lane === null) throw usage(`"${text}" is no promotion`, 'give an id (pro_…) or service/environment');
  const { promotions } = await api.call(
    api.client.GET('/v1/promotions', { params: { query: { ...lane, open: 'true', limit: 50 } } }),
  );
  const found = promotions.find(({ status }) => status === 'awaiting-approval') ?? promotions[0];
  if (found) return found;
  await readPlaces(api, lane);
  throw new SlipwayError('not_found', `no promotion waits in ${text}`, {
    hint: `see what is there: slipway status ${lane.service}`,
  });
}
