import assert from 'node:assert/strict';
import type { Installation } from './installation.ts';
import { type PlatformOptions, platformFiles } from './platform.ts';
import { createService, type ScratchService } from './service.ts';
import { until } from './until.ts';

export interface ReleaseView {
  id: string;
  number: number;
  status: string;
  problem: string | null;
  digest: string | null;
  promotions: {
    id: string;
    environment: string;
    status: string;
    reason: string | null;
    rolloutId: string | null;
    endedAt: string | null;
  }[];
}

/** Applies the platform, makes the service's repository with one commit and registers it. */
export async function prepare(
  installation: Installation,
  name = 'app',
  platform: PlatformOptions = {},
): Promise<{ service: ScratchService; first: string }> {
  await installation.api().post('/v1/platform', { files: platformFiles(platform) });
  const service = await createService(installation.home, name);
  const { sha } = await service.commit();
  await installation.api().post('/v1/services', { repository: service.repository, branch: 'main' });
  return { service, first: sha };
}

export async function release(installation: Installation, service: string, sha: string): Promise<string> {
  const { id } = await installation
    .api()
    .post<{ id: string }>(`/v1/services/${service}/releases`, { commit: sha });
  return id;
}

export async function readRelease(installation: Installation, id: string): Promise<ReleaseView> {
  return installation.api().get<ReleaseView>(`/v1/releases/${id}`);
}

/** Waits until the release has ended in the environment; fails at once when it ended before, or badly. */
export async function arrived(
  installation: Installation,
  id: string,
  environment = 'prod',
  deadlineMs = 60_000,
): Promise<ReleaseView> {
  let dead: string | null = null;
  const found = await until(
    `release ${id} arrives in ${environment}`,
    async () => {
      const view = await readRelease(installation, id);
      const bad = view.promotions.find(({ endedAt, status }) => endedAt !== null && status !== 'succeeded');
      if (view.status === 'failed' || bad) dead = JSON.stringify(bad ?? view.problem);
      if (dead !== null) return view;
      const there = view.promotions.find((promotion) => promotion.environment === environment);
      if (there?.endedAt) return view;
      throw new Error(JSON.stringify(view));
    },
    deadlineMs,
  );
  assert.equal(dead, null, `release ${id} does not arrive`);
  return found;
}

/** Where the lane listens. */
export async function laneUrl(
  installation: Installation,
  service: string,
  environment = 'prod',
): Promise<URL> {
  const [lane] = await installation
    .database()
    .query<{ listen_port: number }>('select listen_port from lanes where service = $1 and environment = $2', [
      service,
      environment,
    ]);
  assert.ok(lane, `${service} has a lane in ${environment}`);
  return new URL(`http://127.0.0.1:${lane.listen_port}`);
}

/** The active rollout of a lane, straight from the rows. */
export async function activeRollout(
  installation: Installation,
  service: string,
  environment = 'prod',
): Promise<{ id: string; phase: string; generation: number } | null> {
  const [row] = await installation
    .database()
    .query<{ id: string; phase: string; generation: number }>(
      `select id, phase, generation from rollouts where service = $1 and environment = $2 and ended_at is null`,
      [service, environment],
    );
  return row ?? null;
}
