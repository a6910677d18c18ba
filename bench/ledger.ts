import { performance } from 'node:perf_hooks';
import { systemClock } from '../src/platform/clock.ts';
import { createLogger } from '../src/platform/log.ts';
import { testDatabase } from '../src/platform/postgres/testing.ts';
import { checkInclusionProof } from '../src/support/ledger/check.ts';
import { inclusionProof } from '../src/support/ledger/proofs.ts';
import { waitForIndex } from '../src/support/ledger/read.ts';
import { runSequencer, sequenceOnce } from '../src/support/ledger/sequencer.ts';
import { appendSome, memoryHeads, testLog } from '../src/support/ledger/testing.ts';
import { verifyLedger } from '../src/support/ledger/verify/ledger.ts';

/**
 * The ledger's figures: entries a second appended in bulk and sequenced, the time of a proof and of its check, the time of
 * a whole verification, and the latency from an append to its index while a sequencer runs. `node bench/ledger.ts [entries]`
 */
const ENTRIES = Number(process.argv[2] ?? 100_000);
const CHUNK = 5_000;
const PROOFS = 500;
const SINGLE = 100;

const { database, close } = await testDatabase();
const deps = { database, signer: testLog(), clock: systemClock, heads: memoryHeads() };

const appendMs = await timed(async () => {
  for (let first = 0; first < ENTRIES; first += CHUNK)
    await appendSome(database, Math.min(CHUNK, ENTRIES - first), first);
});
const sequenceMs = await timed(() => sequenceOnce(deps));
const proofs: unknown[] = [];
const proofMs = await timed(async () => {
  for (let i = 0; i < PROOFS; i++)
    proofs.push(await inclusionProof(database, Math.floor((i * ENTRIES) / PROOFS)));
});
const checkMs = await timed(async () => {
  for (const proof of proofs)
    if (typeof checkInclusionProof(proof, deps.signer) === 'string') throw new Error('a proof fails');
});
const verifyMs = await timed(async () => {
  if (!(await verifyLedger(database, deps.signer)).ok) throw new Error('the ledger does not verify');
});
const latencies = await singleLatencies();

console.table({
  'bulk append': { value: rate(ENTRIES, appendMs), unit: 'entries/s' },
  'bulk sequence': { value: rate(ENTRIES, sequenceMs), unit: 'entries/s' },
  'inclusion proof': { value: round(proofMs / PROOFS), unit: 'ms' },
  'check of a proof': { value: round(checkMs / PROOFS), unit: 'ms' },
  'whole verification': { value: rate(ENTRIES, verifyMs), unit: 'entries/s' },
  'append to index, p50': { value: round(latencies[Math.floor(SINGLE / 2)] ?? 0), unit: 'ms' },
  'append to index, p99': { value: round(latencies[Math.floor(SINGLE * 0.99)] ?? 0), unit: 'ms' },
});
await close();

/** One entry after another beside a running sequencer: what an attestation waits for. */
async function singleLatencies(): Promise<number[]> {
  const stop = new AbortController();
  const running = runSequencer({ ...deps, signal: stop.signal, log: createLogger('bench', 'silent') });
  const found: number[] = [];
  for (let i = 0; i < SINGLE; i++) {
    found.push(
      await timed(async () => {
        const [id] = await appendSome(database, 1, ENTRIES + i);
        await waitForIndex(database, id as number, 10_000);
      }),
    );
  }
  stop.abort();
  await running;
  return found.sort((a, b) => a - b);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function rate(count: number, ms: number): number {
  return Math.round((count / ms) * 1000);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
