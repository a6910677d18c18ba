import { Counter, Gauge, Registry } from 'prom-client';
import type { InstanceStatus } from '../kernel/dataplane.ts';

/** Prometheus figures of this agent. */
export interface AgentMetrics {
  count(event: string): void;
  text(instances: readonly InstanceStatus[]): Promise<string>;
}

export function createMetrics(): AgentMetrics {
  const registry = new Registry();
  const events = new Counter({
    name: 'slipway_agent_events_total',
    help: 'Starts, crashes, stops, pulls and adoptions of instances since the agent started.',
    labelNames: ['event'],
    registers: [registry],
  });
  const instances = new Gauge({
    name: 'slipway_agent_instances',
    help: 'Instances by lane and state.',
    labelNames: ['lane', 'state'],
    registers: [registry],
  });
  const restarts = new Gauge({
    name: 'slipway_agent_instance_restarts',
    help: 'Restarts of each instance after a crash.',
    labelNames: ['lane', 'instance'],
    registers: [registry],
  });
  return {
    count: (event) => events.inc({ event }),
    text(statuses) {
      instances.reset();
      restarts.reset();
      for (const { lane, state, id, restarts: count } of statuses) {
        instances.inc({ lane, state });
        restarts.set({ lane, instance: id }, count);
      }
      return registry.metrics();
    },
  };
}
