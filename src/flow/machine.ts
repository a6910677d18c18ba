import { join } from 'node:path';
import type { AccessConfig } from '../kernel/config.ts';
import { type AgentClient, createAgentClient } from '../platform/agent-client.ts';
import { openDiskStore } from '../platform/blobs/disk.ts';
import type { BlobStore } from '../platform/blobs/store.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import type { DataDirectory, Runtime } from '../platform/data-directory.ts';
import { type Git, openGit } from '../platform/git/git.ts';
import type { Logger } from '../platform/log.ts';
import { createRegistryClient } from '../platform/oci/client.ts';
import type { RegistryClient } from '../platform/oci/types.ts';
import { type Database, openDatabase } from '../platform/postgres/database.ts';
import { createRouterClient, type RouterClient } from '../platform/router-client.ts';
import { currentPlatform } from '../stages/source/platform.ts';
import { type LogSigner, logSigner } from '../support/ledger/log.ts';
import { openKeyring } from '../support/secrets/keyring.ts';
import type { Keyring } from '../support/secrets/types.ts';

/** Everything the stages lean on, opened once a process. */
export interface Machine {
  data: DataDirectory;
  runtime: Runtime;
  database: Database;
  clock: Clock;
  log: Logger;
  keyring: Keyring;
  ledger: LogSigner;
  blobs: BlobStore;
  registry: RegistryClient;
  agent: AgentClient;
  router: RouterClient;
  git: Git;
  platform(): ReturnType<typeof currentPlatform>;
  access(): Promise<AccessConfig>;
  close(): Promise<void>;
}

export async function openMachine(
  data: DataDirectory,
  runtime: Runtime,
  log: Logger,
  name: string,
): Promise<Machine> {
  const database = openDatabase(runtime.databaseUrl, { applicationName: `slipway-${name}`, max: 16 });
  const clock = systemClock;
  const keyring = await openKeyring(data.keys, clock);
  const { ledgerSigner } = keyring;
  const platform = () => currentPlatform(database);
  return {
    data,
    runtime,
    database,
    clock,
    log,
    keyring,
    ledger: logSigner(ledgerSigner),
    blobs: openDiskStore(data.blobs),
    registry: createRegistryClient({
      url: registryUrl(runtime),
      credentials: { username: 'slipway', password: runtime.controlToken },
      userAgent: 'slipway',
    }),
    agent: createAgentClient({ url: `http://127.0.0.1:${runtime.agent.port}`, token: runtime.controlToken }),
    router: createRouterClient({
      url: `http://127.0.0.1:${runtime.router.port}`,
      token: runtime.controlToken,
    }),
    git: await openGit(data.repos, signersOf(data)),
    platform,
    access: async () => (await platform()).config.access,
    close: () => database.close(),
  };
}

/** Our own registry unless SLIPWAY_REGISTRY_URL names another. */
export function registryUrl(runtime: Runtime): string {
  return process.env.SLIPWAY_REGISTRY_URL ?? `http://127.0.0.1:${runtime.server.port}`;
}

function signersOf(data: DataDirectory): { allowedSignersFile: string } {
  return { allowedSignersFile: join(data.keys, 'allowed-signers') };
}

/** The URI that names this installation in provenance and verification summaries. */
export function builderId(machine: Machine): string {
  return `https://${machine.ledger.origin}/builder`;
}
