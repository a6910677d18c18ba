import type { ShopCommit } from './repository.ts';

/** What became of one commit: what the demo reads from the API about it. */
export interface VersionRun {
  commit: ShopCommit;
  committedAtMs: number;
  release: Release;
  rollouts: Record<string, Rollout>;
}

export interface Release {
  id: string;
  number: number;
  status: string;
  problem: string | null;
  digest: string | null;
  createdAt: string;
  finishedAt: string | null;
  promotions: {
    environment: string;
    status: string;
    reason: string | null;
    rolloutId: string | null;
    createdAt: string;
    endedAt: string | null;
  }[];
}

export interface Rollout {
  id: string;
  environment: string;
  outcome: string | null;
  reasons: string[];
  createdAt: string;
  endedAt: string | null;
  exposedAt: string | null;
  zeroTrafficAt: string | null;
  turnedBack: { at: string; reason: string } | null;
}
