import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { ENTRY_KINDS } from '../../kernel/event.ts';
import { RawAnswer, type Route, route } from '../../platform/http/route.ts';
import type { Database } from '../../platform/postgres/database.ts';
import { type LogIdentity, trustedRoot } from './log.ts';
import { consistencyProof, inclusionProof } from './proofs.ts';
import { MAX_PAGE, readEntries, readEntry } from './read.ts';
import { latestCheckpoint } from './store.ts';
import { serveTile } from './tile-bytes.ts';
import { parseTilePath } from './tiles.ts';
import { verifyLedger } from './verify/ledger.ts';

/** A public key as published: enough for `cosign --key` and for judging old signatures. */
export interface PublishedKey {
  name: string;
  purpose: string;
  algorithm: string;
  hint: string;
  pem: string;
  validFromMs: number;
  validUntilMs: number | null;
  revokedAtMs: number | null;
}

export interface LedgerRouteDeps {
  database: Database;
  log: LogIdentity;
  logKeyValidFromMs: number;
  keys(): readonly PublishedKey[];
  /** The head remembered outside the database (a HeadStore's `load`). */
  rememberedHead?: (() => Promise<string | null>) | undefined;
  /** Re-hashes the artifact store; answers what does not fit its digest. */
  verifyArtifacts?: ((signal: AbortSignal) => Promise<{ digest: string; problem: string }[]>) | undefined;
}

const READ = { verb: 'read' } as const;
const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const name = z.string().min(1).max(500);
const base64 = z.string().describe('base64');

const entrySchema = z.object({
  index: z.number().int(),
  kind: z.enum(ENTRY_KINDS),
  at: z.string(),
  actor: z.string(),
  service: z.string().nullable(),
  environment: z.string().nullable(),
  subject: z.string(),
  leafHash: z.string().describe('sha256(0x00 || body), hex'),
  body: z.record(z.string(), z.unknown()).nullable(),
});

const problemSchema = z.object({ where: z.string(), at: z.string(), problem: z.string() });

const reportSchema = z.object({
  ok: z.boolean(),
  size: z.number().int(),
  root: z.string(),
  checkpoints: z.number().int(),
  problems: z.array(problemSchema),
  truncated: z.boolean(),
  artifacts: z
    .object({ ok: z.boolean(), problems: z.array(z.object({ digest: z.string(), problem: z.string() })) })
    .nullable()
    .describe('null when the artifact store was not asked for'),
});

export function ledgerRoutes(deps: LedgerRouteDeps): Route[] {
  return [...entryRoutes(deps), ...logRoutes(deps), ...trustRoutes(deps), verifyRoute(deps)];
}

function entryRoutes({ database }: LedgerRouteDeps): Route[] {
  const params = z.object({ index: count });
  return [
    route({
      method: 'GET',
      path: '/v1/ledger/entries',
      operationId: 'listLedgerEntries',
      summary: 'Entries in order, filtered',
      tag: 'ledger',
      access: READ,
      query: z.object({
        from: count.optional(),
        limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100),
        subject: name.optional(),
        service: name.optional(),
        environment: name.optional(),
        kind: z.enum(ENTRY_KINDS).optional(),
        order: z.enum(['asc', 'desc']).default('asc'),
      }),
      response: z.object({ size: z.number().int(), entries: z.array(entrySchema) }),
      async handle(_context, { query: { order, ...filter } }) {
        const size = (await latestCheckpoint(database))?.size ?? 0;
        return { size, entries: await readEntries(database, { ...filter, descending: order === 'desc' }) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/ledger/entries/:index',
      operationId: 'getLedgerEntry',
      summary: 'One entry',
      tag: 'ledger',
      access: READ,
      params,
      response: entrySchema,
      handle: (_context, input) => readEntry(database, input.params.index),
    }),
    route({
      method: 'GET',
      path: '/v1/ledger/entries/:index/proof',
      operationId: 'getLedgerInclusionProof',
      summary: 'Proof that an entry is in the signed log, checkable offline',
      tag: 'ledger',
      access: READ,
      params,
      query: z.object({ size: count.optional() }),
      response: z.object({
        index: z.number().int(),
        size: z.number().int(),
        body: base64,
        hashes: z.array(base64),
        root: base64,
        checkpoint: z.string().describe('the signed note (C2SP tlog-checkpoint) of this size'),
      }),
      handle: (_context, input) => inclusionProof(database, input.params.index, input.query.size),
    }),
  ];
}

function logRoutes({ database }: LedgerRouteDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/ledger/checkpoint',
      operationId: 'getLedgerCheckpoint',
      summary: 'The signed head of the log (C2SP tlog-checkpoint)',
      tag: 'ledger',
      access: READ,
      produces: 'text/plain',
      async handle() {
        const head = await latestCheckpoint(database);
        if (!head) throw new SlipwayError('not_found', 'the ledger is empty');
        return new RawAnswer('text/plain; charset=utf-8', head.note, { 'cache-control': 'no-cache' });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/ledger/consistency',
      operationId: 'getLedgerConsistencyProof',
      summary: 'Proof that one head extends another',
      tag: 'ledger',
      access: READ,
      query: z.object({ from: count, to: count }),
      response: z.object({
        from: z.number().int(),
        to: z.number().int(),
        fromRoot: base64,
        toRoot: base64,
        hashes: z.array(base64),
      }),
      handle: (_context, { query }) => consistencyProof(database, query.from, query.to),
    }),
    route({
      method: 'GET',
      path: '/v1/ledger/tile/*',
      operationId: 'getLedgerTile',
      summary: 'A tile of hashes, or a bundle of entries (C2SP tlog-tiles)',
      tag: 'ledger',
      access: READ,
      params: z.object({ '*': z.string().max(60) }),
      produces: 'application/octet-stream',
      async handle(_context, { params }) {
        const tile = parseTilePath(params['*']);
        const bytes = tile && (await serveTile(database, tile));
        if (!bytes) throw new SlipwayError('not_found', 'the ledger has no such tile');
        // Whatever a tile path names never changes once it exists.
        return new RawAnswer('application/octet-stream', bytes, {
          'cache-control': 'private, max-age=31536000, immutable',
        });
      },
    }),
  ];
}

function trustRoutes({ log, logKeyValidFromMs, keys }: LedgerRouteDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/ledger/trusted-root',
      operationId: 'getTrustedRoot',
      summary: 'The sigstore trusted root of this log, for cosign --trusted-root',
      tag: 'ledger',
      access: READ,
      response: z.record(z.string(), z.unknown()),
      handle: async () => trustedRoot(log, logKeyValidFromMs),
    }),
    route({
      method: 'GET',
      path: '/v1/ledger/keys',
      operationId: 'listKeys',
      summary: 'The public keys, retired and revoked ones too',
      tag: 'ledger',
      access: READ,
      response: z.object({
        origin: z.string(),
        logId: base64,
        keys: z.array(
          z.object({
            name: z.string(),
            purpose: z.string(),
            algorithm: z.string(),
            hint: z.string(),
            pem: z.string(),
            validFrom: z.string(),
            validUntil: z.string().nullable(),
            revokedAt: z.string().nullable(),
          }),
        ),
      }),
      handle: async () => ({
        origin: log.origin,
        logId: log.keyId.toString('base64'),
        keys: keys().map(publish),
      }),
    }),
  ];
}

function publish({
  name,
  purpose,
  algorithm,
  hint,
  pem,
  validFromMs,
  validUntilMs,
  revokedAtMs,
}: PublishedKey) {
  const at = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const validFrom = new Date(validFromMs).toISOString();
  return {
    name,
    purpose,
    algorithm,
    hint,
    pem,
    validFrom,
    validUntil: at(validUntilMs),
    revokedAt: at(revokedAtMs),
  };
}

function verifyRoute(deps: LedgerRouteDeps): Route {
  // A whole verification reads everything: callers at the same time share one.
  let running: Promise<z.infer<typeof reportSchema>> | null = null;
  return route({
    method: 'POST',
    path: '/v1/ledger/verify',
    operationId: 'verifyLedger',
    summary: 'Verify the whole log and the artifact store; every changed byte is named',
    tag: 'ledger',
    access: READ,
    response: reportSchema,
    async handle() {
      running ??= verifyAll(deps).finally(() => {
        running = null;
      });
      return await running;
    },
  });
}

const VERIFY_TIMEOUT_MS = 30 * 60 * 1000;

async function verifyAll(deps: LedgerRouteDeps): Promise<z.infer<typeof reportSchema>> {
  const signal = AbortSignal.timeout(VERIFY_TIMEOUT_MS);
  const remembered = (await deps.rememberedHead?.()) ?? null;
  const report = await verifyLedger(deps.database, deps.log, { remembered, signal });
  const found = await deps.verifyArtifacts?.(signal);
  const artifacts = found ? { ok: found.length === 0, problems: found } : null;
  return { ...report, ok: report.ok && (artifacts?.ok ?? true), artifacts };
}
