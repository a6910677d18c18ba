import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { createRegistryClient } from '../platform/oci/client.ts';
import { type Agent, runAgent } from './agent.ts';

type RegistryOptions = Parameters<typeof createRegistryClient>[0];

export interface StartAgentOptions {
  /** The agent keeps everything below `host/` in it. */
  dataDirectory: string;
  /** Port 0: any free one. */
  control: { host: string; port: number };
  /** Bearer token of the control API. */
  token: string;
  registry: Pick<RegistryOptions, 'url' | 'credentials'>;
  clock: Clock;
  log: Logger;
}

/** The host agent over a registry reached by HTTP; what `slipway agent` runs. See `runAgent` for its errors. */
export function startAgent(options: StartAgentOptions): Promise<Agent> {
  const registry = createRegistryClient({
    ...options.registry,
    userAgent: 'slipway-agent',
    clock: options.clock,
  });
  return runAgent({ ...options, registry });
}
