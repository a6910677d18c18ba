import type { InstanceSpec, InstanceState, InstanceStatus } from '../kernel/dataplane.ts';
import type { Digest } from '../kernel/digest.ts';

/** A process that cannot be mistaken for another: pids come again, a pid with its start time and boot does not. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/<pid>/stat, clock ticks since boot. */
  startTicks: number;
  bootId: string;
}

/** One run of an instance. It is also the leader of its session and process group. */
export interface Run extends ProcessIdentity {
  /** In the environment of every process of the run, as SLIPWAY_INSTANCE_RUN. */
  marker: string;
  startedAtMs: number;
}

/**
 * A run that is being ended. stop: by order, then forgotten. failed: given up, kept to be seen. recycle: ended to be
 * started again. halt: the agent goes away with its instances and starts them again when it returns.
 */
export interface Ending {
  why: 'stop' | 'failed' | 'recycle' | 'halt';
  termSentAtMs: number | null;
  killSentAtMs: number | null;
}

/** All that is known of an instance; what is on disk is what a new agent goes on from. */
export interface InstanceRecord {
  spec: InstanceSpec;
  acceptedAtMs: number;
  state: InstanceState;
  reason: string | null;
  port: number | null;
  run: Run | null;
  ending: Ending | null;
  /** Of the first run; the start timeout of an instance that was never ready counts from here. */
  firstStartedAtMs: number | null;
  /** Of the current run; null until it was ready. */
  readyAtMs: number | null;
  everReady: boolean;
  restarts: number;
  /** Crashes in a row, for the backoff. */
  crashes: number;
  nextStartAtMs: number | null;
  /** The unpacked tree of the first start; a later start from another tree is refused. */
  treeDigest: Digest | null;
}

export function newRecord(spec: InstanceSpec, nowMs: number): InstanceRecord {
  return {
    spec,
    acceptedAtMs: nowMs,
    state: 'pulling',
    reason: null,
    port: null,
    run: null,
    ending: null,
    firstStartedAtMs: null,
    readyAtMs: null,
    everReady: false,
    restarts: 0,
    crashes: 0,
    nextStartAtMs: null,
    treeDigest: null,
  };
}

export function statusOf(record: InstanceRecord): InstanceStatus {
  return {
    id: record.spec.id,
    lane: record.spec.lane,
    digest: record.spec.digest,
    state: record.state,
    host: '127.0.0.1',
    port: record.port,
    pid: record.run?.pid ?? null,
    restarts: record.restarts,
    startedAtMs: record.run?.startedAtMs ?? null,
    readyAtMs: record.readyAtMs,
    reason: record.reason,
  };
}
