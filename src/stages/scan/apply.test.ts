import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SlipwayError } from '../../kernel/errors.ts';
import { PREDICATES } from '../../kernel/evidence.ts';
import { type ScannedArtifact, type Scanner, scanArtifact } from './apply.ts';
import { type Finding, MAX_FINDINGS, type ScanReport, scanPredicate } from './plan.ts';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const clock = { nowMs: () => NOW, random: () => new Uint8Array(10) };
const artifact: ScannedArtifact = { service: 'shop', repository: 'shop', digest: `sha256:${'a'.repeat(64)}` };
const report = (findings: readonly Finding[] = []): ScanReport => ({
  database: { updatedAtMs: NOW - 3_600_000 },
  findings,
});
const scanner = (name: string, scan: Scanner['scan']): Scanner => ({
  name,
  uri: `https://scan.example/${name}`,
  version: '1',
  scan,
});

function collector() {
  const attached: { type: string; predicate: Record<string, unknown> }[] = [];
  const attach = async (_: ScannedArtifact, type: string, predicate: Record<string, unknown>) =>
    void attached.push({ type, predicate });
  return { attached, attach };
}

test('without a scanner nothing is attached', async () => {
  const { attached, attach } = collector();
  assert.deepEqual(await scanArtifact({ scanners: [], clock, attach }, artifact), []);
  assert.deepEqual(attached, []);
});

test('each scanner attaches what it found, in order; findings stand in a fixed order', async () => {
  const { attached, attach } = collector();
  const finding = (id: string, score: number): Finding => ({
    id,
    package: 'pkg:npm/x@1',
    severities: [{ method: 'CVSS_V3', score }],
  });
  const scanners = [
    scanner('first', async () => report([finding('B', 9.8), finding('A', 4)])),
    scanner('second', async () => report()),
  ];
  const outcomes = await scanArtifact({ scanners, clock, attach }, artifact);
  assert.deepEqual(outcomes, [
    { scanner: 'first', attached: true, findings: 2 },
    { scanner: 'second', attached: true, findings: 0 },
  ]);
  assert.deepEqual(
    attached.map(({ type }) => type),
    [PREDICATES.scan, PREDICATES.scan],
  );
  assert.deepEqual(attached[0]?.predicate, {
    scanner: {
      uri: 'https://scan.example/first',
      version: '1',
      db: { lastUpdate: '2026-03-10T11:00:00.000Z' },
      result: [
        { id: 'A', severity: [{ method: 'CVSS_V3', score: '4' }], annotations: [{ package: 'pkg:npm/x@1' }] },
        {
          id: 'B',
          severity: [{ method: 'CVSS_V3', score: '9.8' }],
          annotations: [{ package: 'pkg:npm/x@1' }],
        },
      ],
    },
    metadata: { scanStartedOn: '2026-03-10T12:00:00.000Z', scanFinishedOn: '2026-03-10T12:00:00.000Z' },
  });
});

test('a scanner that fails, hangs or talks nonsense attaches nothing and does not stop the next', async () => {
  const { attached, attach } = collector();
  const scanners = [
    scanner('throws', () => Promise.reject(new Error('no database'))),
    scanner('hangs', () => new Promise(() => {})),
    scanner('nonsense', async () => ({ findings: 3 }) as unknown as ScanReport),
    scanner('works', async () => report()),
  ];
  const outcomes = await scanArtifact({ scanners, clock, attach, timeoutMs: 50 }, artifact);
  assert.deepEqual(
    outcomes.map((one) => (one.attached ? 'attached' : one.error.code)),
    ['internal', 'timeout', 'invalid_input', 'attached'],
  );
  assert.equal(attached.length, 1);
});

test('what could not be attached is no scan', async () => {
  const attach = () => Promise.reject(new SlipwayError('unreachable', 'no registry'));
  const [outcome] = await scanArtifact(
    { scanners: [scanner('works', async () => report())], clock, attach },
    artifact,
  );
  assert.equal(outcome?.attached, false);
});

test('a cancelled scan ends', async () => {
  const { attach } = collector();
  const cancel = new AbortController();
  const hangs = scanner('hangs', () => {
    cancel.abort();
    return new Promise(() => {});
  });
  const [outcome] = await scanArtifact({ scanners: [hangs], clock, attach }, artifact, cancel.signal);
  assert.equal(outcome?.attached === false && outcome.error.code, 'cancelled');
});

test('a report that does not hold together is refused', () => {
  const identity = { name: 'x', uri: 'https://scan.example/x', version: '1' };
  const times = { startedAtMs: NOW, finishedAtMs: NOW };
  const finding = { id: 'A', severities: [{ method: 'CVSS_V3', score: 5 }] };
  const wrong: unknown[] = [
    null,
    {},
    { findings: [] },
    { database: { updatedAtMs: Number.NaN }, findings: [] },
    { database: { updatedAtMs: NOW + 86_400_000 }, findings: [] },
    { database: { updatedAtMs: '2026-03-10' }, findings: [] },
    { database: { updatedAtMs: 1 }, findings: {} },
    ...[
      { ...finding, id: '' },
      { ...finding, severities: 'high' },
      { id: 'A', severities: [{ method: 'x', score: 11 }] },
      { id: 'A', severities: [{ method: 'x', score: Number.NaN }] },
      { id: 'A', severities: [{ method: 'x', score: 'grave' }] },
      { ...finding, package: 'x'.repeat(5_000) },
      null,
    ].map((one) => ({ database: { updatedAtMs: 1 }, findings: [finding, one] })),
    { database: { updatedAtMs: 1 }, findings: Array.from({ length: MAX_FINDINGS + 1 }, () => finding) },
  ];
  for (const one of wrong) {
    assert.throws(
      () => scanPredicate(identity, one as ScanReport, times),
      { code: 'invalid_input' },
      JSON.stringify(one)?.slice(0, 100),
    );
  }
  assert.ok(scanPredicate(identity, report([finding as Finding]), times));
});
