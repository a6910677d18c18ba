import type { LaneObservation } from './fleet.ts';
import type { Action, Outstanding } from './situation.ts';

/**
 * What a rollout has ordered of the data plane and cannot call back. Kept with its row and written in the same swap as the
 * actions, so that the next pass, on whatever worker, knows what may still arrive.
 */
export interface Orders {
  /** Generation of the newest route ordered; 0 when none was. */
  route: number;
  /** Instances whose stop was ordered, until they are seen to be gone. */
  stops: readonly string[];
}

export const NO_ORDERS: Orders = { route: 0, stops: [] };

/** Passes of one rollout get fences in order, and every later rollout of the lane gets higher ones. */
const GENERATIONS_PER_EPOCH = 1_048_576;

export function fenceOf(epoch: number, generation: number): number {
  return epoch * GENERATIONS_PER_EPOCH + generation;
}

/** The router refuses every fence below the one it carries: once the newest order is seen, no older one can arrive. */
export function outstandingOf(
  orders: Orders,
  epoch: number,
  observation: LaneObservation | null,
): Outstanding {
  const seen = observation?.route?.fence ?? -1;
  return { route: orders.route === 0 || seen < fenceOf(epoch, orders.route), stops: orders.stops };
}

/** The orders once a pass of `generation` has committed its actions. */
export function ordersAfter(
  orders: Orders,
  observation: LaneObservation | null,
  actions: readonly Action[],
  generation: number,
): Orders {
  const route = actions.some((action) => action.kind === 'route') ? generation : orders.route;
  const ordered = actions.flatMap((action) => (action.kind === 'stop-instance' ? [action.id] : []));
  const present = new Set(observation?.instances.map((instance) => instance.id));
  const kept = observation === null ? orders.stops : orders.stops.filter((id) => present.has(id));
  if (route === orders.route && ordered.length === 0 && kept.length === orders.stops.length) return orders;
  return { route, stops: [...new Set([...kept, ...ordered])] };
}
