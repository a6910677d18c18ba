import type { Logger } from '../../platform/log.ts';

/** How long the router waits for what, in milliseconds. */
export interface Timeouts {
  /** From the first byte of a request head to its last. */
  headMs: number;
  /** A client's connection without a request. */
  clientIdleMs: number;
  connectMs: number;
  /** No byte moved in either direction while a request is under way. */
  idleMs: number;
  /** The same for WebSocket tunnels and event streams, which may be silent for long. */
  streamIdleMs: number;
  /** A pooled connection to a backend that did not name a time of its own. */
  pooledIdleMs: number;
  /** A client that closed its sending side may still wait for the answer; nothing tells it from one that is gone. */
  halfClosedMs: number;
  /** After the last answer, what a client still sends is read and dropped, so that a reset cannot destroy the answer. */
  lingerMs: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  headMs: 15_000,
  clientIdleMs: 75_000,
  connectMs: 3_000,
  idleMs: 60_000,
  streamIdleMs: 3_600_000,
  pooledIdleMs: 30_000,
  halfClosedMs: 1_000,
  lingerMs: 1_000,
};

/** What every part of the data path shares. */
export interface ProxyContext {
  timeouts: Timeouts;
  /** Milliseconds of a clock that never goes back, with a fraction: for latencies. */
  monotonicMs(): number;
  /** The same, as of the last sweep: precise enough for deadlines and free to read. */
  coarseMs: number;
  /** Uniform in [0, 1). */
  random(): number;
  log: Logger;
}

/** How often deadlines are looked at. */
export const SWEEP_MS = 100;
/** Backends tried for one request before it is given up. */
export const MAX_ATTEMPTS = 5;
/** Times a request is sent again after a backend may have seen it. */
export const MAX_REPLAYS = 2;
/** A request body up to this size is kept for another attempt, and for the mirror. */
export const MAX_KEPT_BODY_BYTES = 64 * 1024;
/** Idle connections kept to one backend. */
export const MAX_POOLED = 256;
/** A request that must not be sent twice uses a pooled connection only while it is this fresh. */
export const FRESH_POOLED_MS = 1_000;
/** Client connections of one lane. */
export const MAX_CONNECTIONS = 10_000;
/** Mirrored requests under way in one lane; above it copies are dropped. */
export const MAX_MIRRORS = 64;
/** Interim answers to one request. */
export const MAX_INFORMATIONAL = 1_000;
/** Answer bodies up to this size are written together with their head. */
export const SMALL_BODY_BYTES = 8 * 1024;
