import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Evidence, type EvidenceKind, PREDICATES } from '../../kernel/evidence.ts';
import { evidenceFacts } from './evidence-facts.ts';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const COMMIT = 'c'.repeat(40);
const context = { commit: COMMIT, nowMs: NOW };

function piece(
  kind: EvidenceKind,
  predicate: Record<string, unknown> | null,
  more: Partial<Evidence> = {},
): Evidence {
  return {
    kind,
    predicateType: PREDICATES[kind],
    referrer: `sha256:${'0'.repeat(64)}`,
    verified: true,
    problem: null,
    key: 'build',
    ledgerIndex: 1,
    predicate,
    ...more,
  };
}
const unverified = { verified: false, problem: 'the signature is wrong' };

const tests = (failed: number, passed = 3) =>
  piece('test', {
    result: failed > 0 ? 'FAILED' : 'PASSED',
    passedTests: Array.from({ length: passed }, (_, i) => `p${i}`),
    failedTests: Array.from({ length: failed }, (_, i) => `f${i}`),
  });
const provenance = (commit: string, more: Partial<Evidence> = {}) =>
  piece(
    'provenance',
    {
      buildDefinition: {
        resolvedDependencies: [
          { uri: 'pkg:npm/nanoid@5.1.6' },
          { uri: 'git+ssh://git@forge.example/shop.git@refs/heads/main', digest: { gitCommit: commit } },
        ],
      },
      runDetails: { builder: { id: 'https://slipway.dev/builder' } },
    },
    more,
  );
const scan = (lastUpdate: string, ...scores: unknown[]) =>
  piece('scan', {
    scanner: {
      db: { lastUpdate },
      result: scores.map((score, i) => ({ id: `A-${i}`, severity: [{ method: 'x', score }] })),
    },
  });

test('verified evidence is read', () => {
  const facts = evidenceFacts(
    [
      provenance(COMMIT),
      piece('sbom', { components: [{}, {}] }),
      tests(0),
      scan('2026-03-10T11:00:00Z', '9.8', '7.0', 'HIGH', '6.9', 'low', 10),
      piece('signature', {}),
    ],
    context,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(facts)), {
    provenance: {
      present: true,
      verified: true,
      key: 'build',
      builderId: 'https://slipway.dev/builder',
      repository: 'ssh://git@forge.example/shop.git',
      commit: COMMIT,
    },
    sbom: { present: true, verified: true, key: 'build', components: 2 },
    test: { present: true, verified: true, key: 'build', passed: 3, failed: 0 },
    scan: { present: true, verified: true, key: 'build', critical: 2, high: 2, databaseAgeS: 3_600 },
    signature: { present: true, verified: true, key: 'build' },
  });
});

test('without evidence there is nothing but that', () => {
  const nothing = { present: false, verified: false };
  assert.deepEqual(JSON.parse(JSON.stringify(evidenceFacts([], context))), {
    provenance: nothing,
    sbom: nothing,
    test: nothing,
    scan: nothing,
    signature: nothing,
  });
});

test('unverified evidence gives no details, only that it is there and why it does not count', () => {
  const { provenance: facts } = evidenceFacts([provenance(COMMIT, unverified)], context);
  assert.deepEqual(JSON.parse(JSON.stringify(facts)), {
    present: true,
    verified: false,
    problem: 'the signature is wrong',
  });
});

const anyPiece = fc.constantFrom(
  provenance(COMMIT),
  provenance('d'.repeat(40)),
  piece('sbom', { components: [{}] }),
  piece('sbom', { components: [{}, {}] }, { key: 'other' }),
  piece('sbom', {}),
  tests(0),
  tests(2),
  piece('test', { result: 'maybe' }),
  scan('2026-03-10T11:00:00Z'),
  scan('2026-03-09T11:00:00Z', '9.1'),
  scan('nonsense', '9.1'),
  piece('signature', {}),
  piece('provenance', null),
);

test('an unverified piece never stands in for a verified one and never pushes it aside, in whatever order', () => {
  fc.assert(
    fc.property(
      fc.array(anyPiece, { maxLength: 6 }),
      fc.array(anyPiece, { maxLength: 6 }),
      fc.func(fc.nat()),
      (good, bad, order) => {
        const ours = good.filter(({ predicate }) => predicate !== null);
        const forged = bad.map((one) => ({ ...one, ...unverified }));
        const mixed = [...ours, ...forged]
          .map((one, i) => ({ one, at: order(i) }))
          .sort((a, b) => a.at - b.at);
        const facts = evidenceFacts(
          mixed.map(({ one }) => one),
          context,
        );
        const alone = evidenceFacts(ours, context);
        for (const kind of ['provenance', 'sbom', 'test', 'scan', 'signature'] as const) {
          if (alone[kind]?.verified) assert.deepEqual(facts[kind], alone[kind]);
          else assert.equal(facts[kind]?.verified, false);
        }
      },
    ),
  );
});

test('a failed test result is not hidden by passed ones, older or newer', () => {
  const judged = evidenceFacts([tests(0, 9), tests(2, 5), tests(0, 7)], context).test;
  assert.deepEqual([judged?.passed, judged?.failed], [5, 2]);
  const unnamed = piece('test', { result: 'FAILED', passedTests: ['a'], failedTests: [] });
  assert.equal(evidenceFacts([unnamed], context).test?.failed, 1);
  assert.equal(
    evidenceFacts([tests(0), piece('test', { result: 'maybe' })], context).test?.failed,
    undefined,
  );
});

test('counts of reports go before names, and broken ones silence the run', () => {
  const run = (reports: unknown, failedTests: string[] = []) =>
    evidenceFacts([piece('test', { result: 'PASSED', passedTests: ['unit'], failedTests, reports })], context)
      .test;
  assert.equal(
    run([
      { name: 'unit', passed: 14, failed: 0, skipped: 1 },
      { name: 'e2e', passed: 3, failed: 0 },
    ])?.passed,
    17,
  );
  assert.equal(run([{ name: 'unit', passed: 14, failed: 2 }])?.failed, 2);
  assert.equal(run([{ name: 'unit', passed: 14, failed: 0 }], ['a', 'b'])?.failed, 2);
  for (const reports of [{}, [{}], [{ passed: -1, failed: 0 }], [{ passed: 1, failed: 'none' }], [null]]) {
    assert.deepEqual([run(reports)?.passed, run(reports)?.failed], [undefined, undefined]);
  }
});

test('the repository is the address without its ref', () => {
  const of = (uri: string, external: Record<string, unknown> = {}) =>
    evidenceFacts(
      [
        piece('provenance', {
          buildDefinition: {
            externalParameters: external,
            resolvedDependencies: [{ uri, digest: { sha1: COMMIT } }],
          },
        }),
      ],
      context,
    ).provenance?.repository;
  assert.equal(of('git+https://forge.example/shop@v1/2'), 'https://forge.example/shop');
  assert.equal(of('git+https://user@forge.example/shop'), 'https://user@forge.example/shop');
  assert.equal(of(`git+/srv/git/shop@${COMMIT}`), '/srv/git/shop');
  assert.equal(of('git+https://a.example/b@c', { repository: '/srv/shop' }), '/srv/shop');
  assert.equal(of('pkg:npm/x@1'), undefined);
});

test('the scan with the newest database speaks; an unreadable one silences all', () => {
  const old = scan('2026-03-01T00:00:00Z', '9.9');
  const fresh = scan('2026-03-10T00:00:00Z');
  assert.deepEqual(
    [
      evidenceFacts([old, fresh], context).scan?.critical,
      evidenceFacts([fresh, old], context).scan?.critical,
    ],
    [0, 0],
  );
  assert.equal(evidenceFacts([fresh, scan('2026-03-10T00:00:00Z', '9.0')], context).scan?.critical, 1);
  for (const wrong of [
    scan('', '1'),
    scan('2027-01-01T00:00:00Z'),
    scan('2026-03-10T00:00:00Z', 'grave'),
    scan('2026-03-10T00:00:00Z', -1),
  ]) {
    assert.equal(evidenceFacts([fresh, wrong], context).scan?.critical, undefined);
  }
});

test('provenance of this commit is preferred; where it is not there and others differ, nobody knows', () => {
  const other = 'd'.repeat(40);
  assert.equal(evidenceFacts([provenance(other), provenance(COMMIT)], context).provenance?.commit, COMMIT);
  assert.equal(evidenceFacts([provenance(other)], context).provenance?.commit, other);
  assert.equal(
    evidenceFacts([provenance(other), provenance('e'.repeat(40))], context).provenance?.commit,
    undefined,
  );
  const keys = evidenceFacts([provenance(COMMIT), provenance(COMMIT, { key: 'laptop' })], context).provenance;
  assert.deepEqual([keys?.commit, keys?.key], [COMMIT, undefined]);
});
