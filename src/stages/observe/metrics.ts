import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { RawAnswer, type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';

/**
 * Slipway's own figures in Prometheus form: what moves, what waits and for how long, how far the ledger is, what runs
 * where. Read from rows at each scrape, so that every server tells the same.
 */
export function metricsRoute(database: Database): Route {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'slipway_server_' });
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const rollouts = gauge('slipway_rollouts_active', 'Rollouts under way', [
    'service',
    'environment',
    'phase',
  ]);
  const weight = gauge(
    'slipway_rollout_canary_weight_percent',
    'Share of the traffic asked for the new version',
    ['service', 'environment', 'rollout'],
  );
  const waiting = gauge('slipway_promotion_waiting_seconds', 'Age of the oldest open promotion', [
    'service',
    'environment',
    'status',
  ]);
  const ended = gauge('slipway_rollouts_ended', 'Rollouts that ended, by outcome', [
    'service',
    'environment',
    'outcome',
  ]);
  const releases = gauge('slipway_releases', 'Releases by status', ['service', 'status']);
  const deployed = gauge('slipway_deployed_info', 'What runs where', [
    'service',
    'environment',
    'digest',
    'deployment_id',
    'release',
    'commit',
  ]);
  const ledger = gauge('slipway_ledger_entries', 'Entries in the log; pending ones wait for the sequencer', [
    'state',
  ]);
  const overdue = gauge(
    'slipway_rollout_reconcile_lag_seconds',
    'How late the most overdue rollout is looked at',
    [],
  );
  type Labels = Record<string, string | number>;
  const fill = async (target: Gauge, sql: string) => {
    target.reset();
    for (const { value, ...labels } of await database.query<Labels & { value: number }>(sql))
      target.set(labels, Number(value));
  };
  return route({
    method: 'GET',
    path: '/metrics',
    operationId: 'metrics',
    summary: 'Figures for Prometheus',
    tag: 'observe',
    access: { verb: 'read' },
    produces: 'text/plain',
    async handle() {
      await fill(
        rollouts,
        'select service, environment, phase, count(*)::float8 as value from rollouts where ended_at is null group by 1, 2, 3',
      );
      await fill(
        weight,
        `select service, environment, id as rollout, (state->'weights'->>'canary')::float8 as value from rollouts where ended_at is null`,
      );
      await fill(
        waiting,
        `select service, environment, status, extract(epoch from now() - min(created_at))::float8 as value from promotions where ended_at is null group by 1, 2, 3`,
      );
      await fill(
        ended,
        'select service, environment, outcome, count(*)::float8 as value from rollouts where ended_at is not null group by 1, 2, 3',
      );
      await fill(releases, 'select service, status, count(*)::float8 as value from releases group by 1, 2');
      await fill(
        deployed,
        `select l.service, l.environment, l.digest, coalesce(l.rollout_id, '') as deployment_id, coalesce(r.number::text, '') as release,
           coalesce(r.commit_sha, '') as commit, 1 as value
         from lanes l left join releases r on r.id = l.release_id where l.digest is not null`,
      );
      await fill(
        ledger,
        `select 'sequenced' as state, coalesce(max(size), 0)::float8 as value from ledger_checkpoints union all select 'pending', count(*)::float8 from ledger_pending`,
      );
      await fill(
        overdue,
        'select greatest(0, coalesce(max(extract(epoch from now() - wake_at)), 0))::float8 as value from rollouts where ended_at is null',
      );
      return new RawAnswer(registry.contentType, await registry.metrics());
    },
  });
}
