import { queryOptions } from '@tanstack/react-query';
import { api, call } from './client.ts';
import type { operations } from './schema.d.ts';

/**
 * Everything the pages read, by key. The first word of a key is what live events name to say "ask again"
 * (live/apply.ts).
 */

type Query<Operation extends keyof operations> = NonNullable<operations[Operation]['parameters']['query']>;

export const queries = {
  me: () => queryOptions({ queryKey: ['me'], queryFn: () => call(api.GET('/v1/me')), staleTime: 60_000 }),

  matrix: () => queryOptions({ queryKey: ['matrix'], queryFn: () => call(api.GET('/v1/matrix')) }),

  lanes: (service: string) =>
    queryOptions({
      queryKey: ['lanes', service],
      queryFn: () => call(api.GET('/v1/matrix', { params: { query: { service } } })),
      refetchInterval: 2_000,
    }),

  service: (service: string) =>
    queryOptions({
      queryKey: ['services', service],
      queryFn: () => call(api.GET('/v1/services/{service}', { params: { path: { service } } })),
    }),

  rollout: (rollout: string) =>
    queryOptions({
      queryKey: ['rollout', rollout],
      queryFn: () => call(api.GET('/v1/rollouts/{rollout}', { params: { path: { rollout } } })),
    }),

  evidence: (rollout: string) =>
    queryOptions({
      queryKey: ['evidence', rollout],
      queryFn: () =>
        call(api.GET('/v1/rollouts/{rollout}/evidence', { params: { path: { rollout }, query: {} } })),
    }),

  rollouts: (query: Query<'listRollouts'>) =>
    queryOptions({
      queryKey: ['rollouts', query],
      queryFn: () => call(api.GET('/v1/rollouts', { params: { query } })),
    }),

  releases: (query: Query<'listReleases'>) =>
    queryOptions({
      queryKey: ['releases', query],
      queryFn: () => call(api.GET('/v1/releases', { params: { query } })),
    }),

  release: (release: string) =>
    queryOptions({
      queryKey: ['releases', release],
      queryFn: () => call(api.GET('/v1/releases/{release}', { params: { path: { release } } })),
    }),

  builds: (service: string) =>
    queryOptions({
      queryKey: ['builds', service],
      queryFn: () =>
        call(
          api.GET('/v1/services/{service}/builds', { params: { path: { service }, query: { limit: 20 } } }),
        ),
    }),

  build: (build: string) =>
    queryOptions({
      queryKey: ['builds', build],
      queryFn: () => call(api.GET('/v1/builds/{build}', { params: { path: { build } } })),
    }),

  artifact: (digest: string) =>
    queryOptions({
      queryKey: ['artifacts', digest],
      queryFn: () => call(api.GET('/v1/artifacts/{digest}', { params: { path: { digest } } })),
    }),

  promotions: (query: Query<'listPromotions'>) =>
    queryOptions({
      queryKey: ['promotions', query],
      queryFn: () => call(api.GET('/v1/promotions', { params: { query } })),
    }),

  rollbackTargets: (service: string, environment: string) =>
    queryOptions({
      queryKey: ['rollback-targets', service, environment],
      queryFn: () =>
        call(
          api.GET('/v1/services/{service}/environments/{environment}/rollback-targets', {
            params: { path: { service, environment } },
          }),
        ),
    }),

  decision: (decision: string) =>
    queryOptions({
      queryKey: ['decisions', decision],
      queryFn: () => call(api.GET('/v1/decisions/{decision}', { params: { path: { decision } } })),
    }),

  decisions: (query: Query<'listDecisions'>) =>
    queryOptions({
      queryKey: ['decisions', query],
      queryFn: () => call(api.GET('/v1/decisions', { params: { query } })),
    }),

  policies: () =>
    queryOptions({ queryKey: ['policies'], queryFn: () => call(api.GET('/v1/policies')), staleTime: 30_000 }),

  entries: (query: Query<'listLedgerEntries'>) =>
    queryOptions({
      queryKey: ['entries', query],
      queryFn: () => call(api.GET('/v1/ledger/entries', { params: { query } })),
    }),

  entry: (index: number) =>
    queryOptions({
      queryKey: ['entry', index],
      queryFn: () => call(api.GET('/v1/ledger/entries/{index}', { params: { path: { index } } })),
      staleTime: Number.POSITIVE_INFINITY,
    }),

  proof: (index: number) =>
    queryOptions({
      queryKey: ['proof', index],
      queryFn: () =>
        call(api.GET('/v1/ledger/entries/{index}/proof', { params: { path: { index }, query: {} } })),
    }),

  keys: () =>
    queryOptions({ queryKey: ['keys'], queryFn: () => call(api.GET('/v1/ledger/keys')), staleTime: 60_000 }),

  why: (subject: string) =>
    queryOptions({
      queryKey: ['why', subject],
      queryFn: () => call(api.GET('/v1/why', { params: { query: { subject } } })),
    }),
};
