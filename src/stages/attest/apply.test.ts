import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import type { RegistryClient } from '../../platform/oci/types.ts';
import { readEntries } from '../../support/ledger/read.ts';
import { breakingDatabase } from '../../support/ledger/testing.ts';
import { verifyLedger } from '../../support/ledger/verify/ledger.ts';
import { type AttestDeps, attestArtifact, attestations } from './apply.ts';
import { decisionPredicate } from './decision.ts';
import { openWorkshop, pushImage, someInput, type Workshop } from './testing.ts';
import { collectEvidence } from './verify.ts';

let workshop: Workshop;
before(async () => {
  workshop = await openWorkshop();
});
after(() => workshop.close());

const code = (expected: string) => (error: unknown) => isSlipwayError(error) && error.code === expected;

/** Three referrers, three signatures, three notes in the ledger: no more, no less. */
async function assertAttachedOnce(digest: Digest): Promise<void> {
  const { registry, trust, deps } = workshop;
  const evidence = await collectEvidence(registry.client, 'shop', digest, trust);
  assert.deepEqual(evidence.map((one) => [one.kind, one.problem]).sort(), [
    ['provenance', null],
    ['sbom', null],
    ['test', null],
  ]);
  const deadline = Date.now() + 10_000;
  let entries = await attachedEntries(digest);
  while (entries.length < 3 && Date.now() < deadline) entries = await attachedEntries(digest);
  assert.equal(entries.length, 3);
  for (const entry of entries) {
    const { ledgerIndex, statement } = entry.body!.data as { ledgerIndex: number; statement: string };
    assert.ok(evidence.some((one) => one.ledgerIndex === ledgerIndex));
    assert.match(statement, /^sha256:/);
  }
  const signatures = await readEntries(deps.database, { kind: 'signature', limit: 1000 });
  const indexes = new Set(evidence.map((one) => one.ledgerIndex));
  const subjects = signatures.filter((entry) => indexes.has(entry.index)).map((entry) => entry.subject);
  assert.equal(signatures.filter((entry) => subjects.includes(entry.subject)).length, 3);
}

const attachedEntries = (digest: Digest) =>
  readEntries(workshop.deps.database, { subject: digest, kind: 'evidence.attached' });

test('attesting twice, or from four workers at once, attaches once and says the same', async () => {
  const digest = await pushImage(workshop.registry.client, 'shop', 'twice');
  const input = someInput(digest);
  const first = await attestArtifact(workshop.deps, input);
  assert.deepEqual(await attestArtifact(workshop.deps, input), first);
  await assertAttachedOnce(digest);
  const raced = await pushImage(workshop.registry.client, 'shop', 'raced');
  const all = await Promise.all(
    Array.from({ length: 4 }, () => attestArtifact(workshop.deps, someInput(raced))),
  );
  for (const one of all) assert.deepEqual(one, all[0]);
  await assertAttachedOnce(raced);
});

type Write = 'putBlob' | 'putManifest';

/** The n-th write of a kind fails, before it reaches the registry or after the registry kept it. */
function breakingRegistry(
  registry: RegistryClient,
  write: Write,
  n: number,
  when: 'before' | 'after',
): RegistryClient {
  let count = -1;
  const broken = async (...args: unknown[]) => {
    count += 1;
    const failure = new SlipwayError('unreachable', `injected: ${write} ${n} ${when}`);
    if (count === n && when === 'before') throw failure;
    const result = await (registry[write] as (...all: unknown[]) => Promise<unknown>)(...args);
    if (count === n && when === 'after') throw failure;
    return result;
  };
  return { ...registry, [write]: broken };
}

test('law: killed before or after any external write, the next call completes it and nothing stands twice', async () => {
  const faults: [string, (deps: AttestDeps) => AttestDeps][] = [];
  for (let n = 0; n < 4; n++) {
    for (const when of ['before commit', 'after commit'] as const) {
      faults.push([
        `transaction ${n} ${when}`,
        (deps) => ({ ...deps, database: breakingDatabase(deps.database, n, when) }),
      ]);
    }
  }
  for (const [write, total] of [
    ['putBlob', 6],
    ['putManifest', 3],
  ] as const) {
    for (let n = 0; n < total; n++) {
      for (const when of ['before', 'after'] as const) {
        faults.push([
          `${write} ${n} ${when}`,
          (deps) => ({ ...deps, registry: breakingRegistry(deps.registry, write, n, when) }),
        ]);
      }
    }
  }
  for (const [name, broken] of faults) {
    const digest = await pushImage(workshop.registry.client, 'shop', name);
    const before = workshop.registry.blobs.size;
    await assert.rejects(attestArtifact(broken(workshop.deps), someInput(digest)), /injected/, name);
    await attestArtifact(workshop.deps, someInput(digest));
    await assertAttachedOnce(digest);
    assert.ok(workshop.registry.blobs.size - before <= 3 + 1, `${name}: a crash left blobs behind`);
  }
  assert.deepEqual((await verifyLedger(workshop.deps.database, workshop.deps.log)).problems, []);
});

test('statements are a function of the report, and the report’s order does not matter where it has none', () => {
  const digest = sha256('x');
  const input = someInput(digest);
  const shuffled = { ...input, toolchain: { npm: '11.0.0', node: '24.21.0' } };
  assert.equal(
    JSON.stringify(attestations(shuffled, 'b')[0]?.predicateType),
    JSON.stringify(attestations(input, 'b')[0]?.predicateType),
  );
  assert.deepEqual(attestations(shuffled, 'b'), attestations(input, 'b'));
});

test('credentials in addresses never reach a statement', () => {
  const lockfile = {
    lockfileVersion: 3,
    packages: {
      '': { dependencies: { a: '1', g: '1' } },
      'node_modules/a': {
        version: '1.0.0',
        resolved: 'https://user:hunter2@npm.example/a.tgz?token=hunter2',
      },
      'node_modules/g': { version: '1.0.0', resolved: 'git+https://hunter2@git.example/g.git#abc' },
    },
  };
  const input = someInput(sha256('x'), {
    repositoryUrl: 'https://user:hunter2@git.example/shop.git?key=hunter2',
    materials: [{ uri: 'https://hunter2@base.example/image', digest: {} }],
    lockfiles: [{ path: 'package-lock.json', bytes: Buffer.from(JSON.stringify(lockfile)) }],
  });
  const text = JSON.stringify(attestations(input, 'b'));
  assert.doesNotMatch(text, /hunter2/);
  assert.match(text, /npm\.example/);
});

test('no tests, no test result; one failure is a failed result with its name', () => {
  const types = (tests: Parameters<typeof someInput>[1]) => attestations(someInput(sha256('x'), tests), 'b');
  assert.equal(types({ tests: [] }).length, 2);
  assert.equal(
    types({ tests: [{ name: 'unit', passed: 0, failed: 0, skipped: 4, failedNames: [] }] }).length,
    2,
  );
  const [, , failed] = types({
    tests: [
      { name: 'unit', passed: 9, failed: 1, skipped: 0, failedNames: ['adds up'] },
      { name: 'e2e', passed: 2, failed: 0, skipped: 0, failedNames: [] },
    ],
  });
  assert.equal(failed?.predicate.result, 'FAILED');
  assert.deepEqual(failed?.predicate.failedTests, ['unit: adds up']);
  assert.deepEqual(failed?.predicate.passedTests, ['e2e']);
});

test('an absent image, a broken lockfile and a ledger nobody sequences are clear errors', async () => {
  const { deps, registry } = workshop;
  await assert.rejects(attestArtifact(deps, someInput(sha256('absent'))), code('image_missing'));
  const digest = await pushImage(registry.client, 'shop', 'broken');
  const lockfiles = [{ path: 'package-lock.json', bytes: Buffer.from('{"lockfileVersion": 3,') }];
  await assert.rejects(attestArtifact(deps, someInput(digest, { lockfiles })), code('lockfile_broken'));
  await assert.rejects(
    attestArtifact({ ...deps, signal: AbortSignal.abort() }, someInput(digest)),
    code('cancelled'),
  );
});

test('a decision becomes a verification summary', () => {
  const decision = {
    id: 'dec_1',
    service: 'shop',
    environment: 'prod',
    digest: sha256('x'),
    outcome: 'deny',
    policyHash: sha256('p'),
    results: [{ policy: 'signed', severity: 'block', outcome: 'deny', reason: 'no', missing: [] }],
    inputs: {},
    inputsHash: sha256('i'),
    atMs: 0,
  } as const;
  const context = {
    verifierId: 'https://gate.example',
    repository: 'shop',
    inputs: [{ digest: sha256('r'), predicateType: 't' }],
  };
  const predicate = decisionPredicate(decision, context);
  assert.equal(predicate.verificationResult, 'FAILED');
  assert.equal(predicate.timeVerified, '1970-01-01T00:00:00.000Z');
  assert.equal(decisionPredicate({ ...decision, outcome: 'warn' }, context).verificationResult, 'PASSED');
});
