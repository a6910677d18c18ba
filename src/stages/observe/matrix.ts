import { z } from 'zod';
import type { PlatformConfig } from '../../kernel/config.ts';
import { type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { toCell } from './matrix-cell.ts';
import { readLanes, readRollouts, readServices, readWaiting } from './matrix-rows.ts';
import { type Cell, matrixSchema } from './matrix-schema.ts';

export interface ObserveDeps {
  database: Database;
  platform(): Promise<PlatformConfig>;
}

export function matrixRoute({ database, platform }: ObserveDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/matrix',
    operationId: 'matrix',
    summary: 'What runs where, what moves, what waits and why',
    tag: 'observe',
    access: { verb: 'read' },
    query: z.object({ service: z.string().max(63).optional() }),
    response: matrixSchema,
    async handle({ nowMs }, { query }) {
      const { environments } = await platform();
      const only = query.service ?? null;
      const [services, lanes, rollouts, waiting] = await Promise.all([
        readServices(database, only),
        readLanes(database, only),
        readRollouts(database, only),
        readWaiting(database, only),
      ]);
      const cellOf = (service: string, environment: string): Cell => {
        const here = (row: { service: string; environment: string }) =>
          row.service === service && row.environment === environment;
        return toCell(
          service,
          environment,
          lanes.find(here),
          rollouts.filter(here),
          waiting.filter(here),
          nowMs,
        );
      };
      return {
        at: new Date(nowMs).toISOString(),
        environments: environments.map(({ name, after, production }) => ({ name, after, production })),
        services: services.map((service) => ({
          ...service,
          cells: environments.map((environment) => cellOf(service.name, environment.name)),
        })),
      };
    },
  });
}
