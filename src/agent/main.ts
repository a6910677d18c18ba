import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { createRegistryClient } from '../platform/oci/client.ts';
import { type Agent, runAgent } from './agent.ts';

export interface StartAgentOptions {
  dataDirectory: string;
  control: { host: string; port: number };
  token: string;
  registry: Parameters<typeof createRegistryClient>[0];
  clock: Clock;
  log: Logger;
}

/** The host agent over a registry reached by HTTP; what `slipway agent` runs. */
export function startAgent(options: StartAgentOptions): Promise<Agent> {
  return runAgent({ ...options, registry: createRegistryClient(options.registry) });
}
