import type { EnvironmentConfig, PlatformConfig, ServiceConfig } from '../../kernel/config.ts';
import type { Decision } from '../../kernel/decision.ts';
import type { Digest } from '../../kernel/digest.ts';
import type { EntryKind } from '../../kernel/event.ts';
import type { RolloutKind, RolloutSpec } from '../../kernel/rollout.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Database, Queryable, Transaction } from '../../platform/postgres/database.ts';

/** What the promote stage is given. */
export interface PromoteDeps {
  database: Database;
  clock: Clock;
  log: Logger;
  platform(): Promise<PlatformConfig>;
  append(tx: Transaction, entry: PromoteEntry): Promise<unknown>;
  wakePromotion(tx: Queryable, id: string): Promise<void>;
  wakePromotionLater(tx: Queryable, id: string, atMs: number): Promise<void>;
  wakeRollouts(): void;
  /** The gate stage's decision on a digest for an environment, verified now. */
  evaluateGate(request: {
    service: string;
    environment: string;
    digest: Digest;
    repository: string;
    promotionId: string;
    releaseId: string | null;
  }): Promise<Decision>;
  /** The rollout stage's creation, in this stage's transaction. */
  createRollout(tx: Transaction, input: RolloutRequestInput): Promise<void>;
}

export interface PromoteEntry {
  kind: Exclude<EntryKind, 'signature'>;
  atMs: number;
  actor: string;
  service?: string;
  environment?: string;
  subject: string;
  data: Record<string, unknown>;
}

/** What this stage knows of a rollout to be created. */
export interface RolloutRequestInput {
  id: string;
  service: string;
  environment: EnvironmentConfig;
  kind: RolloutKind;
  digest: Digest;
  repository: string;
  release: { id: string; config: ServiceConfig };
  promotionId: string;
  spec: RolloutSpec;
  /** Reads the config of another release, for the version that runs now. */
  configOf(releaseId: string): Promise<ServiceConfig>;
  actor: string;
  nowMs: number;
}
