import { systemClock } from '../../src/platform/clock.ts';
import type { Database } from '../../src/platform/postgres/database.ts';
import { appendAll } from '../../src/support/ledger/append.ts';
import type { LogSigner } from '../../src/support/ledger/log.ts';
import { sequenceOnce } from '../../src/support/ledger/sequencer.ts';
import { decisionOf, LOG, promotionOf, RELEASES } from './fixtures/delivery.ts';
import { ENTRIES } from './fixtures/ledger.ts';
import { BUILD, COMMIT, DIGEST, NOW, OLD_DIGEST, PROMOTION, RELEASE, ROLLOUT } from './fixtures/names.ts';
import { evidenceOf, rolloutOf } from './fixtures/rollout.ts';

/** The fixtures as rows: a shop whose release 14 is on its way to prod, written as the stages write them. */
export async function seed(database: Database, signer: LogSigner): Promise<void> {
  const now = new Date(NOW);
  await database.query(
    'insert into services (name, repository_url, branch, created_at, polled_at) values ($1, $2, $3, $4, $4)',
    ['shop', 'https://forge.example/shop.git', 'main', now],
  );
  for (const release of RELEASES) await seedRelease(database, release);
  await database.query(
    `insert into builds (id, release_id, service, commit_sha, purpose, status, sandbox, cache_hits, digest, created_at, started_at, finished_at)
     values ($1, $2, 'shop', $3, 'release', 'succeeded', 'bubblewrap', 1, $4, $5, $5, $5)`,
    [BUILD, RELEASE, COMMIT, DIGEST, now],
  );
  await database.query(
    `insert into build_steps (build_id, name, position, needs, status, exit_code, started_at, finished_at) values ($1, 'test', 0, '{}', 'succeeded', 0, $2, $2)`,
    [BUILD, now],
  );
  await database.query(
    `insert into build_logs (build_id, step, sequence, at, text) values ($1, 'test', 0, $2, $3)`,
    [BUILD, now, LOG],
  );
  await database.query(
    `insert into artifacts (digest, service, repository, build_id, commit_sha, media_type, size_bytes, created_at)
     values ($1, 'shop', 'shop', $2, $3, 'application/vnd.oci.image.manifest.v1+json', 17001123, $4)`,
    [DIGEST, BUILD, COMMIT, now],
  );
  await seedLanes(database, now);
  await seedRollout(database, now);
  const decision = decisionOf();
  await database.query(
    `insert into decisions (id, service, environment, digest, promotion_id, outcome, policy_hash, results, inputs, inputs_hash, decided_at)
     values ($1, 'shop', 'prod', $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      decision.id,
      DIGEST,
      PROMOTION,
      decision.outcome,
      decision.policyHash,
      JSON.stringify(decision.results),
      JSON.stringify(decision.inputs),
      decision.inputsHash,
      now,
    ],
  );
  await database.transaction((tx) =>
    appendAll(
      tx,
      ENTRIES.flatMap((entry) =>
        entry.kind === 'signature'
          ? []
          : [
              {
                kind: entry.kind,
                atMs: Date.parse(entry.at),
                actor: entry.actor,
                service: 'shop',
                ...(entry.environment === null ? {} : { environment: entry.environment }),
                subject: entry.subject,
                data: (entry.body?.data ?? {}) as Record<string, unknown>,
              },
            ],
      ),
    ),
  );
  await sequence(database, signer);
}

/** What the worker does all the time. */
export async function sequence(database: Database, signer: LogSigner): Promise<void> {
  await sequenceOnce({
    database,
    signer,
    clock: systemClock,
    heads: { load: async () => null, save: async () => {} },
  });
}

async function seedRelease(database: Database, release: (typeof RELEASES)[number]): Promise<void> {
  const { commit } = release;
  await database.query(
    `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
     values ('shop', $1, '{}', $2, $3, $4, $5, $6, $7, $4)`,
    [
      commit.sha,
      commit.author,
      commit.authorEmail,
      new Date(commit.committedAt),
      commit.message,
      commit.signature,
      commit.ref,
    ],
  );
  await database.query(
    `insert into releases (id, service, number, commit_sha, status, digest, problem, created_by, created_at) values ($1, 'shop', $2, $3, $4, $5, $6, $7, $8)`,
    [
      release.id,
      release.number,
      commit.sha,
      release.status,
      release.digest,
      release.problem,
      release.createdBy,
      new Date(release.createdAt),
    ],
  );
}

async function seedLanes(database: Database, now: Date): Promise<void> {
  const previous = RELEASES.find((one) => one.number === 13);
  for (const [environment, digest, release, port] of [
    ['dev', DIGEST, RELEASE, 18_081],
    ['staging', DIGEST, RELEASE, 18_082],
    ['prod', OLD_DIGEST, previous?.id, 18_080],
  ] as const) {
    await database.query(
      `insert into lanes (service, environment, digest, release_id, repository, since, listen_port, fence) values ('shop', $1, $2, $3, 'shop', $4, $5, 1)`,
      [environment, digest, release, now, port],
    );
    const stable = { rps: 412, errorRate: 0.0004, p50S: 0.012, p95S: 0.048, p99S: 0.112, digest };
    await database.query(
      `insert into lane_samples (service, environment, at, sample) values ('shop', $1, now() + interval '5 minutes', $2)`,
      [
        environment,
        JSON.stringify({
          groups: { stable },
          weights: { stable: 100, baseline: 0, canary: 0 },
          instances: { ready: 3, total: 3 },
          unrouted: 0,
        }),
      ],
    );
  }
}

async function seedRollout(database: Database, now: Date): Promise<void> {
  const rollout = rolloutOf();
  const promotion = promotionOf({ status: 'rolling', rolloutId: ROLLOUT });
  await database.query(
    `insert into promotions (id, service, environment, digest, release_id, kind, status, reason, rollout_id, requested_by, created_at, status_at, deadline_at)
     values ($1, 'shop', 'prod', $2, $3, 'planned', 'rolling', $4, $5, $6, $7, $7, $8)`,
    [
      PROMOTION,
      DIGEST,
      RELEASE,
      promotion.reason,
      ROLLOUT,
      promotion.requestedBy,
      now,
      new Date(promotion.deadlineAt),
    ],
  );
  const spec = {
    strategy: 'canary',
    steps: rollout.steps,
    instances: 3,
    canaryInstances: 2,
    baselineInstances: 1,
    progressDeadlineS: 3_600,
    readyDeadlineS: 60,
    drainS: 5,
    onInconclusive: 'rollback',
    analysis: evidenceOf('good').spec,
  };
  const state = {
    phase: 'stepping',
    stepIndex: 1,
    stepSettledAtMs: NOW - 45_000,
    phaseEnteredAtMs: NOW - 60_000,
    weights: rollout.weights,
    paused: null,
    resumedStep: -1,
    turnedBack: null,
    exposedAtMs: NOW - 170_000,
    zeroTrafficAtMs: null,
    drainUntilMs: null,
  };
  await database.query(
    `insert into rollouts (id, service, environment, promotion_id, release_id, kind, digest, previous_digest, repository, spec, runtime, state, phase, reasons, fence, generation, wake_at, created_at, updated_at)
     values ($1, 'shop', 'prod', $2, $3, 'planned', $4, $5, 'shop', $6, '{}', $7, 'stepping', $8, 1, 9, null, $9, $9)`,
    [
      ROLLOUT,
      PROMOTION,
      RELEASE,
      DIGEST,
      OLD_DIGEST,
      JSON.stringify(spec),
      JSON.stringify(state),
      JSON.stringify(rollout.reasons),
      now,
    ],
  );
  const evidence = evidenceOf('good');
  await database.query(
    `insert into analyses (rollout_id, spec, verdict, reason, updated_at) values ($1, $2, 'inconclusive', $3, $4)`,
    [ROLLOUT, JSON.stringify(evidence.spec), evidence.reason, now],
  );
  for (const { n, point } of evidence.points)
    await database.query('insert into evidence_points (rollout_id, n, at, point) values ($1, $2, $3, $4)', [
      ROLLOUT,
      n,
      new Date(point.atMs),
      JSON.stringify(point),
    ]);
}
