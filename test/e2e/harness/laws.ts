import assert from 'node:assert/strict';
import type { InstanceStatus, LaneRoute } from '../../../src/kernel/dataplane.ts';
import type { Lane } from '../../../src/kernel/ids.ts';
import type { RolloutState } from '../../../src/kernel/rollout.ts';
import { createAgentClient } from '../../../src/platform/agent-client.ts';
import { dataDirectory, readRuntime } from '../../../src/platform/data-directory.ts';
import { createRouterClient } from '../../../src/platform/router-client.ts';
import type { Installation } from './installation.ts';
import { instanceLeaders } from './processes.ts';
import { until } from './until.ts';

/** What must hold whenever nothing moves, whatever was killed before. */
export async function assertSound(installation: Installation): Promise<void> {
  await settled(installation);
  await nothingTwice(installation);
  await replayGivesTheRows(installation);
  await ledgerVerifies(installation);
  await instancesAreThoseOfTheLanes(installation);
}

/** Waits until no rollout is active and every entry is in the log. */
export async function settled(installation: Installation, deadlineMs = 60_000): Promise<void> {
  const database = installation.database();
  await until(
    'no rollout is active, no entry is pending',
    async () => {
      const [row] = await database.query<{ open: number }>(
        `select (select count(*) from rollouts where ended_at is null) + (select count(*) from ledger_pending)
           + (select count(*) from releases where finished_at is null)
           + (select count(*) from promotions where status in ('gating', 'rolling') and ended_at is null) as open`,
      );
      return row?.open === 0;
    },
    deadlineMs,
  );
}

/** Each of these gives rows only when something was done twice. */
const TWICE: Readonly<Record<string, string>> = {
  'a release of one commit': 'select service, commit_sha from releases group by 1, 2 having count(*) > 1',
  'a rollout of one promotion':
    'select promotion_id from rollouts where promotion_id is not null group by 1 having count(*) > 1',
  'an active rollout of one lane':
    'select service, environment from rollouts where ended_at is null group by 1, 2 having count(*) > 1',
  'a fence of one lane':
    'select service, environment, fence from rollouts group by 1, 2, 3 having count(*) > 1',
  'a pass of one rollout': `select subject, convert_from(body, 'UTF8')::jsonb->'data'->'generation' from ledger_entries
     where kind in ('rollout.changed', 'rollout.ended') group by 1, 2 having count(*) > 1`,
  'an entry that can be made once': `select kind, subject from ledger_entries
     where kind in ('rollout.created', 'rollout.ended', 'release.created', 'release.built', 'release.failed',
       'artifact.registered', 'promotion.created', 'build.started', 'build.finished', 'commit.seen', 'service.registered')
     group by 1, 2 having count(*) > 1`,
  'evidence of one kind': `select subject, annotations->>'dev.sigstore.bundle.predicateType', content
     from registry_manifests where subject is not null group by 1, 2, 3 having count(*) > 1`,
  'provenance of one artifact': `select subject from registry_manifests
     where annotations->>'dev.sigstore.bundle.predicateType' = 'https://slsa.dev/provenance/v1'
     group by 1 having count(*) > 1`,
};

async function nothingTwice(installation: Installation): Promise<void> {
  for (const [what, sql] of Object.entries(TWICE))
    assert.deepEqual(await installation.database().query(sql), [], `twice: ${what}`);
}

interface Entry {
  kind: string;
  subject: string;
  data: { state: RolloutState; generation?: number };
}

/** The ledger alone, read in order, must lead to what the rows say. */
async function replayGivesTheRows(installation: Installation): Promise<void> {
  const database = installation.database();
  const entries = await database.query<Entry>(
    `select kind, subject, convert_from(body, 'UTF8')::jsonb->'data' as data from ledger_entries
     where kind in ('rollout.created', 'rollout.changed', 'rollout.ended') order by index`,
  );
  const replayed = new Map<string, RolloutState>();
  const generations = new Map<string, number>();
  for (const { kind, subject, data } of entries) {
    assert.equal(
      kind === 'rollout.created',
      !replayed.has(subject),
      `${subject} begins with its creation, once`,
    );
    const generation = data.generation ?? 0;
    assert.ok(generation > (generations.get(subject) ?? -1), `${subject}: generations go up`);
    generations.set(subject, generation);
    replayed.set(subject, data.state);
  }
  const rows = await database.query<{ id: string; state: RolloutState }>('select id, state from rollouts');
  assert.deepEqual([...replayed.keys()].sort(), rows.map(({ id }) => id).sort());
  for (const { id, state } of rows) assert.deepEqual(replayed.get(id), state, `replay of ${id}`);
}

export interface Verification {
  ok: boolean;
  size: number;
  problems: { where: string; at: string; problem: string }[];
  artifacts: { ok: boolean; problems: { digest: string; problem: string }[] } | null;
}

export function verifyLedger(installation: Installation): Promise<Verification> {
  return installation.api().post<Verification>('/v1/ledger/verify', { artifacts: true });
}

async function ledgerVerifies(installation: Installation): Promise<void> {
  const { ok, problems, artifacts } = await verifyLedger(installation);
  assert.deepEqual([ok, problems, artifacts?.problems], [true, [], []]);
}

export async function instances(installation: Installation, lane?: Lane): Promise<readonly InstanceStatus[]> {
  const { agent, controlToken } = await readRuntime(dataDirectory(installation.root));
  return createAgentClient({ url: `http://127.0.0.1:${agent.port}`, token: controlToken }).list(lane);
}

export async function routeOf(installation: Installation, lane: Lane): Promise<LaneRoute | null> {
  const { router, controlToken } = await readRuntime(dataDirectory(installation.root));
  const client = createRouterClient({ url: `http://127.0.0.1:${router.port}`, token: controlToken });
  return (await client.get(lane))?.route ?? null;
}

interface LaneRow {
  service: string;
  environment: string;
  digest: string;
  instances: number;
}

/** In every lane just the version that took over, in its number, each as one living process; and nothing else. */
async function instancesAreThoseOfTheLanes(installation: Installation): Promise<void> {
  const lanes = await installation.database().query<LaneRow>(
    `select l.service, l.environment, l.digest, (r.spec->>'instances')::int as instances
     from lanes l join rollouts r on r.id = l.rollout_id`,
  );
  await until('every lane has its instances, each of them once', async () => {
    const all = await instances(installation);
    const leaders = instanceLeaders(installation.root);
    for (const { service, environment, digest, instances: wanted } of lanes) {
      const here = all.filter(({ lane }) => lane === `${service}/${environment}`);
      assert.deepEqual(
        here.map((instance) => `${instance.digest} ${instance.state}`),
        Array.from({ length: wanted }, () => `${digest} ready`),
      );
    }
    assert.deepEqual(
      [...leaders.keys()].sort(),
      all.map(({ id }) => id).sort(),
      'processes are those of the agent',
    );
    for (const [id, pids] of leaders) assert.equal(pids.length, 1, `${id} runs once`);
    assert.equal(
      all.length,
      lanes.reduce((sum, lane) => sum + lane.instances, 0),
    );
    return true;
  });
}
