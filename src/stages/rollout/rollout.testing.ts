import type { InstanceStatus, LaneRoute } from '../../kernel/dataplane.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { type Lane, newId } from '../../kernel/ids.ts';
import type { Rollout, RolloutSpec } from '../../kernel/rollout.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { createLogger } from '../../platform/log.ts';
import type { Database, Queryable } from '../../platform/postgres/database.ts';
import { append } from '../../support/ledger/append.ts';
import { createRollout, type NewRollout } from './create.ts';
import type { LaneObservation } from './fleet.ts';
import type { RolloutDeps, Target } from './ports.ts';
import type { InstanceTemplate } from './store.ts';

/** For tests of this stage: a data plane in memory that obeys at once and keeps its fences, and rows to start from. */

export const OLD: Digest = sha256('old');
export const NEW: Digest = sha256('new');

export function specOf(more: Partial<RolloutSpec> = {}): RolloutSpec {
  return {
    strategy: 'canary',
    steps: [
      { weight: 10, minimumS: 5, requirePass: false, manual: false, deadlineS: 60 },
      { weight: 50, minimumS: 5, requirePass: false, manual: false, deadlineS: 60 },
    ],
    instances: 2,
    canaryInstances: 1,
    baselineInstances: 0,
    progressDeadlineS: 600,
    readyDeadlineS: 30,
    drainS: 5,
    onInconclusive: 'rollback',
    analysis: null,
    ...more,
  };
}

export function rolloutOf(more: Partial<Rollout> = {}): Rollout {
  return {
    id: `rol_${'0'.repeat(14)}newnewnewnew`,
    lane: 'shop/prod',
    kind: 'planned',
    digest: NEW,
    previousDigest: OLD,
    spec: specOf(),
    createdAtMs: 0,
    ...more,
  };
}

export function instanceOf(id: string, digest: Digest, more: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    id,
    lane: 'shop/prod',
    digest,
    state: 'ready',
    host: '127.0.0.1',
    port: 20_000 + (Number.parseInt(sha256(id).slice(7, 11), 16) % 10_000),
    pid: null,
    restarts: 0,
    startedAtMs: null,
    readyAtMs: null,
    reason: null,
    ...more,
  };
}

/** By id, and found by lane without looking at all: benches have tens of thousands. */
class Instances extends Map<string, InstanceStatus> {
  readonly #byLane = new Map<Lane, Set<string>>();

  override set(id: string, instance: InstanceStatus): this {
    const ids = this.#byLane.get(instance.lane) ?? new Set();
    this.#byLane.set(instance.lane, ids.add(id));
    return super.set(id, instance);
  }

  of(lane: Lane): InstanceStatus[] {
    return [...(this.#byLane.get(lane) ?? [])].flatMap((id) => this.get(id) ?? []);
  }
}

export interface MemoryTarget extends Target {
  instances: Instances;
  routes: Map<Lane, LaneRoute>;
  /** What was obeyed, in order: `start id`, `stop id`, `route weights`. */
  done: string[];
  /** Set to make orders fail, before they are obeyed or after. */
  fail: { before?: (what: string) => boolean; after?: (what: string) => boolean };
  away: boolean;
}

export function memoryTarget(): MemoryTarget {
  const agentFences = new Map<Lane, number>();
  const target: MemoryTarget = {
    instances: new Instances(),
    routes: new Map(),
    done: [],
    fail: {},
    away: false,
    async observe(lanes) {
      const seen = new Map<Lane, LaneObservation>();
      if (target.away) return seen;
      for (const lane of lanes)
        seen.set(lane, {
          instances: target.instances.of(lane),
          route: target.routes.get(lane) ?? null,
          inFlight: {},
        });
      return seen;
    },
    async perform({ lane, fence, runtime, action }) {
      const what =
        action.kind === 'route'
          ? `route ${action.weights.stable}/${action.weights.baseline}/${action.weights.canary}`
          : `${action.kind === 'start-instance' ? 'start' : 'stop'} ${action.id}`;
      if (target.fail.before?.(what)) throw new SlipwayError('unreachable', `injected: before ${what}`);
      if (action.kind === 'route') {
        refuseStale(lane, fence, (target.routes.get(lane)?.fence ?? -1) + 1);
        const { kind, ...route } = action;
        target.routes.set(lane, { ...route, lane, fence, listen: runtime.listen, sticky: runtime.sticky });
      } else {
        const known = target.instances.has(action.id);
        if (action.kind === 'start-instance' || known) {
          refuseStale(lane, fence, agentFences.get(lane) ?? 0);
          agentFences.set(lane, fence);
        }
        if (action.kind === 'stop-instance') target.instances.delete(action.id);
        else if (!known) target.instances.set(action.id, instanceOf(action.id, action.digest, { lane }));
      }
      target.done.push(what);
      if (target.fail.after?.(what)) throw new SlipwayError('unreachable', `injected: after ${what}`);
    },
  };
  return target;
}

function refuseStale(lane: Lane, fence: number, least: number): void {
  if (fence < least) throw new SlipwayError('stale_fence', `fence ${fence} of ${lane} is below ${least}`);
}

export interface TestClock extends Clock {
  set(ms: number): void;
  forward(ms: number): void;
}

export function testClock(startMs = Date.UTC(2026, 0, 1)): TestClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    random: systemClock.random,
    set(ms) {
      nowMs = ms;
    },
    forward(ms) {
      nowMs += ms;
    },
  };
}

export function depsOf(database: Database, target: Target, clock: Clock): RolloutDeps & { woken: string[] } {
  const woken: string[] = [];
  return {
    database,
    target,
    clock,
    log: createLogger('test', 'silent'),
    append,
    async wakePromotion(_tx, id) {
      woken.push(id);
    },
    woken,
  };
}

export const TEMPLATE: InstanceTemplate = {
  repository: 'shop',
  env: {},
  readiness: { path: '/ready', periodMs: 100, timeoutMs: 100, failureThreshold: 1 },
  startTimeoutMs: 5_000,
  stopGraceMs: 1_000,
  resources: { memoryBytes: null, openFiles: null },
};

/** The service and one release of it for a digest; returns the release's id. Safe to call again for another number. */
export async function seedRelease(
  database: Queryable,
  input: { service: string; digest: Digest; number: number; config?: unknown },
): Promise<string> {
  const { service, digest, number } = input;
  const sha = sha256(`${service} ${number}`).slice(7, 47);
  const at = new Date(Date.UTC(2026, 0, 1) + number * 1_000);
  const id = `rel_${service}_${number}`;
  await database.query(
    `insert into services (name, repository_url, branch, created_at) values ($1, 'file:///none', 'main', $2) on conflict do nothing`,
    [service, at],
  );
  await database.query(
    `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
     values ($1, $2, '{}', 'Ann', 'ann@example.org', $3, $4, 'none', 'refs/heads/main', $3)`,
    [service, sha, at, `change ${number}\n\nmore`],
  );
  await database.query(
    `insert into releases (id, service, number, commit_sha, status, config, config_digest, digest, created_by, created_at)
     values ($1, $2, $3, $4, 'built', $5, $6, $7, 'token:admin', $8)`,
    [id, service, number, sha, JSON.stringify(input.config ?? {}), sha256('config'), digest, at],
  );
  await database.query(
    `insert into artifacts (digest, service, repository, commit_sha, media_type, size_bytes, created_at)
     values ($1, $2, $2, $3, 'application/vnd.oci.image.manifest.v1+json', 1000, $4) on conflict do nothing`,
    [digest, service, sha, at],
  );
  return id;
}

export function newRollout(
  clock: Clock,
  more: Partial<NewRollout> & Pick<NewRollout, 'releaseId' | 'digest'>,
): NewRollout {
  return {
    id: newId('rol', clock.nowMs(), clock.random),
    service: 'shop',
    environment: 'prod',
    kind: 'planned',
    repository: 'shop',
    promotionId: null,
    spec: specOf(),
    template: TEMPLATE,
    previousTemplate: async () => TEMPLATE,
    sticky: null,
    listenPort: async () => 8_080,
    actor: 'token:admin',
    nowMs: clock.nowMs(),
    ...more,
  };
}

/** Creates it in a transaction of its own; returns its id. */
export async function start(database: Database, input: NewRollout): Promise<string> {
  await database.transaction((tx) => createRollout(append, tx, input));
  return input.id;
}
