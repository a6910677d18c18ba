import { type Digest, sha256 } from '../../kernel/digest.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { append } from '../../support/ledger/append.ts';
import { sequenceOnce } from '../../support/ledger/sequencer.ts';
import { memoryHeads, testLog } from '../../support/ledger/testing.ts';

export const NOW = Date.UTC(2026, 0, 2);
export const OLD = sha256('old');
export const NEW = sha256('new');
const at = (ms: number) => new Date(NOW + ms);

/** Release 1 runs in prod, release 2 is on its way there, release 3 waits, release 4 failed to build. */
export async function seed(database: Database): Promise<void> {
  const sql = (text: string, values: unknown[] = []) => database.query(text, values);
  for (const name of ['shop', 'idle'])
    await sql(
      `insert into services (name, repository_url, branch, created_at) values ($1, 'file:///r', 'main', $2)`,
      [name, at(0)],
    );
  const digests: (Digest | null)[] = [OLD, NEW, sha256('third'), null];
  for (const [n, digest] of digests.entries()) {
    const sha = String(n + 1).repeat(40);
    await sql(
      `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
       values ('shop', $1, '{}', 'Ann', 'ann@example.org', $2, $3, 'good', 'refs/heads/main', $2)`,
      [sha, at(n * 1_000), `change ${n + 1}\n\nwith a body`],
    );
    await sql(
      `insert into releases (id, service, number, commit_sha, status, digest, problem, created_by, created_at)
       values ($1, 'shop', $2, $3, $4, $5, $6, 'token:ann', $7)`,
      [
        `rel_${n + 1}`,
        n + 1,
        sha,
        digest ? 'built' : 'failed',
        digest,
        digest ? null : 'a step failed',
        at(n * 1_000),
      ],
    );
    if (digest === null) continue;
    await sql(
      `insert into builds (id, release_id, service, commit_sha, purpose, status, sandbox, created_at, finished_at) values ($1, $2, 'shop', $3, 'release', 'succeeded', 'bubblewrap', $4, $4)`,
      [`bld_${n + 1}`, `rel_${n + 1}`, sha, at(n * 1_000)],
    );
    await sql(
      `insert into artifacts (digest, service, repository, build_id, commit_sha, media_type, size_bytes, created_at) values ($1, 'shop', 'shop', $2, $3, 'm', 1234, $4)`,
      [digest, `bld_${n + 1}`, sha, at(n * 1_000)],
    );
  }
  await sql(
    `insert into lanes (service, environment, digest, release_id, rollout_id, repository, since, listen_port, fence) values ('shop', 'prod', $1, 'rel_1', 'rol_1', 'shop', $2, 8080, 2)`,
    [OLD, at(-60_000)],
  );
  await sql(
    `insert into decisions (id, service, environment, digest, promotion_id, outcome, policy_hash, results, inputs, inputs_hash, decided_at)
     values ('dec_2', 'shop', 'prod', $1, 'pro_2', 'warn', $2, '[{"policy":"sbom-present","outcome":"warn","reason":"it is old"}]', '{}', $2, $3)`,
    [NEW, sha256('policies'), at(-5_000)],
  );
  const promote = (id: string, n: number, digest: string, status: string, ended: Date | null) =>
    sql(
      `insert into promotions (id, service, environment, digest, release_id, kind, status, reason, decision_id, requested_by, created_at, status_at, deadline_at, ended_at)
       values ($1, 'shop', 'prod', $2, $3, 'planned', $4, 'because of it', null, 'policy:prod', $5, $5, $5, $6)`,
      [id, digest, `rel_${n}`, status, at(-10_000 + n), ended],
    );
  await promote('pro_1', 1, OLD, 'succeeded', at(-60_000));
  await promote('pro_2', 2, NEW, 'rolling', null);
  await promote('pro_3', 3, sha256('third'), 'awaiting-approval', null);
  await sql(
    `insert into approvals (id, promotion_id, actor, answer, reason, binding, given_at) values ('apr_1', 'pro_2', 'user:bob', 'approve', 'looks fine', 'x', $1)`,
    [at(-6_000)],
  );
  const roll = (
    id: string,
    n: number,
    digest: string,
    phase: string,
    outcome: string | null,
    canary: number,
  ) =>
    sql(
      `insert into rollouts (id, service, environment, promotion_id, release_id, kind, digest, previous_digest, repository, spec, runtime, state, phase, reasons, fence, created_at, updated_at, ended_at, outcome)
       values ($1, 'shop', 'prod', $2, $3, 'planned', $4, null, 'shop', '{}', '{}', $5, $6, '["holding at 10 %"]', 1, $7, $7, $8, $9)`,
      [
        id,
        `pro_${n}`,
        `rel_${n}`,
        digest,
        JSON.stringify({ weights: { canary }, paused: n === 2 ? { by: 'x' } : null }),
        phase,
        at(-4_000 + n),
        outcome ? at(-3_000) : null,
        outcome,
      ],
    );
  await roll('rol_0', 2, NEW, 'rolled-back', 'rolled-back', 0);
  await roll('rol_1', 1, OLD, 'succeeded', 'succeeded', 100);
  await database.query(`update rollouts set ended_at = $1 where id = 'rol_0'`, [at(-3_500)]);
  await roll('rol_2', 2, NEW, 'stepping', null, 10);
  await sql(
    `insert into analyses (rollout_id, spec, verdict, reason, updated_at) values ('rol_2', '{}', 'inconclusive', 'too little traffic', $1)`,
    [at(0)],
  );
  await database.transaction(async (tx) => {
    for (const [kind, subject] of [
      ['rollout.created', 'rol_2'],
      ['rollout.changed', 'rol_2'],
      ['evidence.attached', NEW],
      ['release.created', 'rel_2'],
    ] as const)
      await append(tx, { kind, atMs: NOW, actor: 'system:worker', service: 'shop', subject, data: {} });
  });
  await sequenceOnce({
    database,
    signer: testLog(),
    clock: { nowMs: () => NOW, random: (n) => new Uint8Array(n) },
    heads: memoryHeads(),
  });
}
