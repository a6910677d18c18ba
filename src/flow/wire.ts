import type { PlatformConfig } from '../kernel/config.ts';
import type { Digest } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import type { Evidence } from '../kernel/evidence.ts';
import { freePort } from '../platform/ports.ts';
import type { Queryable, Transaction } from '../platform/postgres/database.ts';
import { wake, wakeLater } from '../platform/queue/queue.ts';
import { collectEvidence } from '../stages/attest/verify.ts';
import { testPolicies } from '../stages/gate/judge.ts';
import type { PromoteDeps, RolloutRequestInput } from '../stages/promote/deps.ts';
import type { RolloutDeps } from '../stages/rollout/apply.ts';
import { createRollout } from '../stages/rollout/create.ts';
import type { InstanceTemplate } from '../stages/rollout/store.ts';
import { processTarget } from '../stages/rollout/targets/process.ts';
import type { SourceDeps } from '../stages/source/deps.ts';
import { append } from '../support/ledger/append.ts';
import { evaluateGate } from './gate.ts';
import type { Machine } from './machine.ts';
import { fitToTraffic } from './ramp.ts';
import { createRelease } from './releases.ts';

/** Fills in what each stage is given of the others. One function a stage; nothing here decides anything. */

export function sourceDeps(machine: Machine): SourceDeps {
  const { database, clock, log, git, keyring } = machine;
  return {
    database,
    clock,
    log,
    git,
    createRelease: (tx, release) => createRelease(releaseCreation(machine), tx, release),
    wake: (reconciler, service) => wake(database, reconciler, service),
    seal: (text, context) => keyring.seal(text, context),
    unseal: (sealed, context) => keyring.unseal(sealed, context),
    testPolicies,
  };
}

export function releaseCreation(machine: Machine) {
  return {
    clock: machine.clock,
    append,
    wakeRelease: (tx: Queryable, id: string) => wake(tx, 'release', id),
    wakeReleaseLater: (tx: Queryable, id: string, atMs: number) => wakeLater(tx, 'release', id, atMs),
  };
}

export function promoteDeps(machine: Machine, wakeRollouts: () => void = () => {}): PromoteDeps {
  const { database, clock, log } = machine;
  return {
    database,
    clock,
    log,
    append,
    platform: async () => (await machine.platform()).config,
    wakePromotion: (tx, id) => wake(tx, 'promotion', id),
    wakePromotionLater: (tx, id, atMs) => wakeLater(tx, 'promotion', id, atMs),
    wakeRollouts,
    evaluateGate: (request) => evaluateGate(machine, request),
    createRollout: (tx, input) => startRollout(tx, input),
  };
}

async function startRollout(tx: Transaction, input: RolloutRequestInput): Promise<void> {
  const { environment, release, service, nowMs } = input;
  const spec = await fitToTraffic(tx, input.spec, { service, environment: environment.name, nowMs });
  await createRollout(append, tx, {
    ...input,
    spec,
    environment: environment.name,
    releaseId: release.id,
    template: templateFor(input, release.config.run),
    previousTemplate: async (id) => templateFor(input, (await input.configOf(id)).run),
    sticky: spec.routing?.sticky ?? null,
    listenPort: async () => environment.listenPort ?? freePort(),
  });
}

/** How an instance runs here: the service's own settings, then the environment's, then what it is told about itself. */
function templateFor(
  input: RolloutRequestInput,
  run: RolloutRequestInput['release']['config']['run'],
): InstanceTemplate {
  const { environment, service, id, repository } = input;
  return {
    repository,
    env: {
      ...run.env,
      ...environment.env,
      SLIPWAY_SERVICE: service,
      SLIPWAY_ENVIRONMENT: environment.name,
      SLIPWAY_DEPLOYMENT_ID: id,
    },
    readiness: run.readiness,
    startTimeoutMs: run.startTimeoutMs,
    stopGraceMs: run.stopGraceMs,
    resources: run.resources,
  };
}

export function rolloutDeps(machine: Machine): RolloutDeps {
  const { database, clock, log, agent, router } = machine;
  return {
    database,
    clock,
    log,
    append,
    target: processTarget(agent, router),
    wakePromotion: (tx, id) => wake(tx, 'promotion', id),
  };
}

/** Referrers of an artifact with their signatures judged now, by the keys and the log of this installation. */
export function evidenceOf(machine: Machine, repository: string, digest: Digest): Promise<Evidence[]> {
  return collectEvidence(machine.registry, repository, digest, {
    keys: machine.keyring.publicKeys(),
    log: machine.ledger,
  });
}

export async function isProduction(machine: Machine, environment: string): Promise<boolean> {
  const { config } = await machine.platform();
  return config.environments.find((candidate) => candidate.name === environment)?.production ?? true;
}

export function firstEnvironments(platform: PlatformConfig): string[] {
  return platform.environments
    .filter((environment) => environment.after === null && environment.promotion.automatic)
    .map((environment) => environment.name);
}

/** The instance must be of that lane: its name alone gives no access to another service's output. */
export async function instanceLogs(
  machine: Machine,
  service: string,
  environment: string,
  instance: string,
  tail: number,
): Promise<string> {
  const rows = await machine.database.query(
    `select 1 from rollout_actions a join rollouts r on r.id = a.rollout_id
     where r.service = $1 and r.environment = $2 and a.action->>'id' = $3 limit 1`,
    [service, environment, instance],
  );
  if (rows.length === 0)
    throw new SlipwayError('not_found', `${service} in ${environment} never had an instance ${instance}`);
  return machine.agent.logs(instance, { tail });
}
