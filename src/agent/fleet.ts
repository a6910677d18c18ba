import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../kernel/canonical.ts';
import type { InstanceSpec, InstanceStatus } from '../kernel/dataplane.ts';
import type { Digest } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import type { Lane } from '../kernel/ids.ts';
import { LIMITS } from './limits.ts';
import { beginEnding } from './plan.ts';
import { allPids, environmentOf, isAlive, memoryOf, RUN_VARIABLE, sessions, signalAll } from './processes.ts';
import { type InstanceRecord, newRecord, statusOf } from './record.ts';
import { AGENT_VARIABLE } from './starter.ts';
import { type Supervisor, type Surroundings, supervise } from './supervisor.ts';

/** All instances of this host. Orders are obeyed one at a time and only with a fence as high as any seen for the lane. */
export interface Fleet {
  put(spec: InstanceSpec): Promise<InstanceStatus>;
  /** null: there is no such instance (any more). */
  remove(id: string, fence: number): Promise<InstanceStatus | null>;
  get(id: string): InstanceStatus | null;
  list(lane?: Lane): InstanceStatus[];
  records(): InstanceRecord[];
  /** Ends every process; the records stay, so that the next agent starts them again. */
  halt(): Promise<void>;
  /** Stops supervising; processes go on. */
  detach(): Promise<void>;
}

export interface FleetOptions {
  around: Omit<Surroundings, 'onForgotten' | 'runsElsewhere'>;
  agentId: string;
  hostDirectory: string;
  records: readonly InstanceRecord[];
  fences: Map<string, number>;
}

const HALT_POLL_MS = 20;

export function startFleet(options: FleetOptions): Fleet {
  const { hostDirectory, fences } = options;
  const { store, log, clock, images, bootId } = options.around;
  const supervisors = new Map<string, Supervisor>();
  const records = () => [...supervisors.values()].map((supervisor) => supervisor.record());
  const around: Surroundings = {
    ...options.around,
    runsElsewhere: (own) =>
      records().some(
        (record) =>
          record.spec.id !== own.spec.id && record.spec.digest === own.spec.digest && record.run !== null,
      ),
    async onForgotten(id) {
      // Before the id is free again: a new instance of that id must find its own scratch directory.
      await rm(join(hostDirectory, 'scratch', id), { recursive: true, force: true });
      supervisors.delete(id);
      const isUsed = (digest: Digest) => records().some((record) => record.spec.digest === digest);
      images.collect(isUsed).catch((error) => log.warn({ err: error }, 'unused images cannot be removed'));
    },
  };
  for (const record of options.records) {
    if (record.run !== null && isAlive(record.run, bootId)) {
      log.info({ instance: record.spec.id, instancePid: record.run.pid }, 'instance adopted');
      around.count('adopted');
    }
  }
  endStrays(options);
  for (const record of options.records) supervisors.set(record.spec.id, supervise(record, around));
  const stopWatching = watchMemory(supervisors, bootId, log);

  let orders: Promise<unknown> = Promise.resolve();
  function inOrder<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = orders.then(work);
    orders = result.catch(() => {});
    return result;
  }

  /** Refuses a stale fence; saves a higher one before anything is done under it. */
  async function pass(lane: Lane, fence: number): Promise<void> {
    const highest = fences.get(lane) ?? -1;
    if (fence < highest) {
      throw new SlipwayError(
        'stale_fence',
        `Fence ${fence} for lane ${lane} is lower than ${highest}, which was seen before`,
        {
          hint: 'Another worker has taken over this lane; read its state again.',
          facts: { lane, fence, highest },
        },
      );
    }
    if (fence === highest) return;
    if (!fences.has(lane) && fences.size >= LIMITS.lanes)
      throw new SlipwayError('payload_too_large', `More than ${LIMITS.lanes} lanes`);
    await store.saveFences(new Map(fences).set(lane, fence));
    fences.set(lane, fence);
  }

  let closing = false;

  async function put(spec: InstanceSpec): Promise<InstanceStatus> {
    if (closing) throw new SlipwayError('unreachable', 'The host agent is closing');
    const existing = supervisors.get(spec.id);
    const record = existing?.record();
    if (record !== undefined && identityOf(record.spec) !== identityOf(spec)) {
      // The fence of the lane the caller named says whether it is stale; the conflict comes first for another lane.
      if (record.spec.lane === spec.lane) await pass(spec.lane, spec.fence);
      throw new SlipwayError('conflict', `Instance ${spec.id} exists with another spec`, {
        hint: 'Use a new id for another digest or spec.',
        facts: { id: spec.id, digest: record.spec.digest },
      });
    }
    await pass(spec.lane, spec.fence);
    if (existing !== undefined) {
      if (existing.record().ending?.why === 'stop')
        throw new SlipwayError('conflict', `Instance ${spec.id} is being stopped`);
      return statusOf(existing.record());
    }
    if (supervisors.size >= LIMITS.instances)
      throw new SlipwayError('payload_too_large', `More than ${LIMITS.instances} instances on this host`);
    const fresh = newRecord(spec, clock.nowMs());
    await store.save(fresh);
    supervisors.set(spec.id, supervise(fresh, around));
    log.info({ instance: spec.id, lane: spec.lane, digest: spec.digest }, 'instance accepted');
    return statusOf(fresh);
  }

  async function remove(id: string, fence: number): Promise<InstanceStatus | null> {
    const supervisor = supervisors.get(id);
    if (supervisor === undefined) return null;
    await pass(supervisor.record().spec.lane, fence);
    await supervisor.change((record) =>
      record.ending?.why === 'stop' ? record : beginEnding(record, 'stop', 'stopped by order'),
    );
    return statusOf(supervisor.record());
  }

  async function halt(): Promise<void> {
    closing = true;
    for (const supervisor of supervisors.values()) supervisor.hold();
    await Promise.all(
      [...supervisors.values()].map((supervisor) =>
        supervisor.change((record) => (record.ending !== null ? record : beginHalt(record))),
      ),
    );
    while (records().some((record) => record.run !== null))
      await new Promise((resolve) => setTimeout(resolve, HALT_POLL_MS));
  }

  return {
    put: (spec) => inOrder(() => put(spec)),
    remove: (id, fence) => inOrder(() => remove(id, fence)),
    get(id) {
      const supervisor = supervisors.get(id);
      return supervisor === undefined ? null : statusOf(supervisor.record());
    },
    list: (lane) =>
      records()
        .filter((record) => lane === undefined || record.spec.lane === lane)
        .map(statusOf),
    records,
    halt: () => inOrder(halt),
    async detach() {
      closing = true;
      stopWatching();
      await orders;
      await Promise.all([...supervisors.values()].map((supervisor) => supervisor.detach()));
    },
  };
}

function beginHalt(record: InstanceRecord): InstanceRecord {
  if (record.state === 'failed') return record;
  // A start under way sees the ending and sends its launcher home.
  return beginEnding(record, 'halt', 'the host agent stops with its instances');
}

/** What makes two specs the same order: all but the fence. */
function identityOf(spec: InstanceSpec): string {
  return canonicalJson({ ...spec, fence: 0 });
}

/**
 * Processes that carry this agent's id but belong to no recorded run: launchers of an agent that died before it recorded
 * them (they end by themselves) and what a lost record left behind. Run before any instance is started.
 */
function endStrays({ around, agentId, records }: FleetOptions): void {
  const known = new Set(records.map((record) => record.run?.marker));
  const strays = allPids().filter((pid) => {
    if (environmentOf(pid, AGENT_VARIABLE) !== agentId) return false;
    const marker = environmentOf(pid, RUN_VARIABLE);
    return marker === null || !known.has(marker);
  });
  if (strays.length > 0) around.log.warn({ strays }, 'processes of unknown instances are ended');
  signalAll(strays, 'SIGKILL');
}

/** The kernel gives no limit that counts what a person means by memory; so it is looked at, and the run is ended. */
function watchMemory(
  supervisors: ReadonlyMap<string, Supervisor>,
  bootId: string,
  log: Surroundings['log'],
): () => void {
  const timer = setInterval(() => {
    const limited = [...supervisors.values()].filter(
      (each) => each.record().spec.resources.memoryBytes !== null,
    );
    const members = limited.length === 0 ? new Map<number, number[]>() : sessions();
    for (const supervisor of limited) {
      const { run, spec } = supervisor.record();
      const limit = spec.resources.memoryBytes;
      if (run === null || limit === null || !isAlive(run, bootId)) continue;
      const used = memoryOf(members.get(run.pid) ?? []);
      if (used > limit)
        supervisor
          .exceeded(used)
          .catch((error) => log.error({ err: error }, 'a memory limit cannot be enforced'));
    }
  }, LIMITS.memoryCheckMs);
  timer.unref();
  return () => clearInterval(timer);
}
