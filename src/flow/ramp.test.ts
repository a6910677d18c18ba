import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { json } from '../platform/postgres/database.ts';
import { type TestDatabase, testDatabase } from '../platform/postgres/testing.ts';
import { specFor } from '../stages/promote/spec.ts';
import { parsePlatform } from '../support/config/platform.ts';
import { parseServiceConfig } from '../support/config/service.ts';
import { fitToTraffic, laneTraffic } from './ramp.ts';

let pg: TestDatabase;
before(async () => {
  pg = await testDatabase();
});
after(() => pg.close());

const NOW_MS = 1_800_000_000_000;
const group = (rps: number, errorRate: number | null) => ({
  rps,
  errorRate,
  p50S: null,
  p95S: null,
  p99S: null,
});

/** A sample a second before NOW, for so long. */
async function sampled(service: string, seconds: number, groups: object, untilMs = NOW_MS): Promise<void> {
  await pg.database.query(
    `insert into lane_samples (service, environment, at, sample)
     select $1, 'prod', to_timestamp($2::float8 / 1000 - i), $4 from generate_series(0, $3 - 1) i`,
    [
      service,
      untilMs,
      seconds,
      json({ groups, weights: null, instances: { ready: 1, total: 1 }, unrouted: 0 }),
    ],
  );
}

function spec() {
  const { config } = parsePlatform({
    'p.yaml':
      'apiVersion: slipway.dev/v1\nkind: Environment\nname: prod\nproduction: true\nstrategy: canary-budgeted\n',
  });
  const example = fileURLToPath(new URL('../../examples/shop/slipway.yaml', import.meta.url));
  const service = parseServiceConfig('slipway.yaml', readFileSync(example, 'utf8')).config;
  const environment = config?.environments[0];
  assert.ok(config && service && environment);
  return specFor(config, environment, service, 'planned');
}

test('the rate of a lane is that of all its groups over the last day', async () => {
  await sampled('busy', 200, { stable: group(80, 0.01), canary: group(20, 0.06) });
  await sampled('busy', 200, { stable: group(9000, 0.9) }, NOW_MS - 25 * 3_600_000);
  assert.deepEqual(await laneTraffic(pg.database, lane('busy')), { ratePerS: 100, errorRate: 0.02 });
  await sampled('new', 20, { stable: group(80, null) });
  assert.equal(await laneTraffic(pg.database, lane('new')), null, 'too short to know');
  await sampled('idle', 200, { stable: group(0, null) });
  assert.equal(await laneTraffic(pg.database, lane('idle')), null);
  await sampled('quiet', 200, { stable: group(3, null), baseline: group(1, 0) });
  assert.deepEqual(await laneTraffic(pg.database, lane('quiet')), { ratePerS: 4, errorRate: 0 });
  assert.equal(await laneTraffic(pg.database, lane('nowhere')), null);
});

test('steps and budget of a rollout are fixed by the traffic when it is created', async () => {
  await sampled('known', 200, { stable: group(1000, 0.001) });
  const written = spec();
  const known = await fitToTraffic(pg.database, written, lane('known'));
  assert.equal(known.analysis?.budget?.ratePerS, 1000);
  assert.notDeepEqual(known.steps, written.steps);
  assert.equal(known.steps[0]?.weight, 10);
  const unknown = await fitToTraffic(pg.database, written, lane('nowhere'));
  assert.equal(unknown.analysis?.budget?.ratePerS, null);
  assert.deepEqual(unknown.steps, written.steps);
  const without = { ...written, analysis: null };
  assert.equal(await fitToTraffic(pg.database, without, lane('known')), without);
});

function lane(service: string) {
  return { service, environment: 'prod', nowMs: NOW_MS };
}
