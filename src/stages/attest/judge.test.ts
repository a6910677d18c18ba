import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../kernel/canonical.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { PREDICATES } from '../../kernel/evidence.ts';
import { MEDIA } from '../../platform/oci/types.ts';
import { testLog } from '../../support/ledger/testing.ts';
import { attestArtifact } from './apply.ts';
import { IN_TOTO_TYPE, pae } from './dsse.ts';
import { judgeBundle, type TrustedKey } from './judge.ts';
import { signStatement } from './sign.ts';
import { openWorkshop, pushImage, someInput, type Workshop } from './testing.ts';
import { collectEvidence, MAX_REFERRERS } from './verify.ts';

let workshop: Workshop;
let digest: Digest;
let bundle: Buffer;

before(async () => {
  workshop = await openWorkshop();
  digest = await pushImage(workshop.registry.client, 'shop');
  const [first] = await attestArtifact(workshop.deps, someInput(digest));
  bundle = bundleOf(first!.referrer);
});
after(() => workshop.close());

function bundleOf(referrer: Digest): Buffer {
  const manifest = JSON.parse(workshop.registry.manifests.get(referrer)!.bytes.toString());
  return workshop.registry.blobs.get(manifest.layers[0].digest)!;
}

const judge = (bytes: Uint8Array, trust = workshop.trust) => judgeBundle(bytes, digest, trust).evidence;
const withKey = (change: Partial<TrustedKey>) => ({
  ...workshop.trust,
  keys: workshop.trust.keys.map((key) => (key.name === 'build' ? { ...key, ...change } : key)),
});

test('what was attached is found again, verified, with its key and ledger entry', async () => {
  const evidence = await collectEvidence(workshop.registry.client, 'shop', digest, workshop.trust);
  assert.deepEqual(evidence.map((one) => [one.kind, one.verified, one.problem, one.key]).sort(), [
    ['provenance', true, null, 'build'],
    ['sbom', true, null, 'build'],
    ['test', true, null, 'build'],
  ]);
  assert.deepEqual(new Set(evidence.map((one) => one.ledgerIndex)).size, 3);
  const provenance = evidence.find((one) => one.kind === 'provenance');
  assert.ok(provenance?.predicate && 'buildDefinition' in provenance.predicate);
  assert.deepEqual(
    await collectEvidence(workshop.registry.client, 'shop', sha256('nothing'), workshop.trust),
    [],
  );
});

test('law: a bundle with any one byte changed, cut or added is refused, and says why', () => {
  fc.assert(
    fc.property(fc.nat(bundle.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(bundle);
      changed[at]! ^= mask;
      const cut = Buffer.concat([bundle.subarray(0, at), bundle.subarray(at + 1)]);
      for (const bytes of [changed, cut]) {
        if (sameMeaning(bytes)) continue;
        const evidence = judge(bytes);
        assert.equal(evidence.verified, false, bytes.toString());
        assert.ok(evidence.problem);
      }
    }),
    { numRuns: 3_000 },
  );
});

/** JSON allows white space and escapes: such a change changes nothing that is said. */
function sameMeaning(bytes: Buffer): boolean {
  try {
    return canonicalJson(JSON.parse(bytes.toString())) === canonicalJson(JSON.parse(bundle.toString()));
  } catch {
    return false;
  }
}

test('every field that carries weight does: each alone replaced is refused', () => {
  const paths = [
    ['mediaType'],
    ['dsseEnvelope', 'payload'],
    ['dsseEnvelope', 'payloadType'],
    ['dsseEnvelope', 'signatures'],
    ['dsseEnvelope', 'signatures', 0, 'sig'],
    ['verificationMaterial', 'publicKey'],
    ['verificationMaterial', 'publicKey', 'hint'],
    ['verificationMaterial', 'tlogEntries'],
    ...[
      ['logIndex'],
      ['logId', 'keyId'],
      ['kindVersion', 'kind'],
      ['kindVersion', 'version'],
      ['inclusionProof', 'logIndex'],
      ['inclusionProof', 'rootHash'],
      ['inclusionProof', 'treeSize'],
      ['inclusionProof', 'hashes'],
      ['inclusionProof', 'checkpoint'],
      ['inclusionProof', 'checkpoint', 'envelope'],
      ['canonicalizedBody'],
    ].map((path) => ['verificationMaterial', 'tlogEntries', 0, ...path]),
  ];
  for (const path of paths) {
    for (const value of [null, '', '0', 7, [], {}, 'AAAA', 'A'.repeat(100_000)]) {
      const changed = JSON.parse(bundle.toString());
      const last = path.at(-1) as string;
      path.slice(0, -1).reduce((place, step) => place[step], changed)[last] = value;
      const same = canonicalJson(changed) === canonicalJson(JSON.parse(bundle.toString()));
      assert.equal(
        judge(Buffer.from(JSON.stringify(changed))).verified,
        same,
        `${path.join('.')} = ${JSON.stringify(value)?.slice(0, 20)}`,
      );
    }
  }
});

test('law: judging arbitrary bytes never throws', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.equal(judge(bytes).verified, false)));
  fc.assert(fc.property(fc.json(), (text) => assert.equal(judge(Buffer.from(text)).verified, false)));
  assert.equal(judge(Buffer.from('['.repeat(1_000_000))).verified, false);
});

test('the right signature does not count for another artifact, another log, another key or another time', () => {
  assert.match(judgeBundle(bundle, sha256('other'), workshop.trust).evidence.problem!, /another artifact/);
  assert.match(
    judge(bundle, { ...workshop.trust, log: testLog() }).problem!,
    /no proof of inclusion in this ledger/,
  );
  assert.match(judge(bundle, { ...workshop.trust, keys: [] }).problem!, /not trusted/);
  assert.match(judge(bundle, withKey({ purpose: 'gate' })).problem!, /may not sign this kind/);
  const now = Date.now();
  assert.match(judge(bundle, withKey({ validFromMs: now + 60_000 })).problem!, /not valid yet/);
  assert.match(judge(bundle, withKey({ validUntilMs: now - 60_000 })).problem!, /had expired/);
  assert.match(judge(bundle, withKey({ revokedAtMs: now - 60_000 })).problem!, /was revoked/);
  assert.equal(
    judge(bundle, withKey({ revokedAtMs: now + 60_000, validUntilMs: now + 60_000 })).verified,
    true,
  );
});

test('a key that is trusted for one thing cannot lend its hint to another key', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
  assert.match(judge(bundle, withKey({ spkiDer })).problem!, /signature is wrong/);
  const ed = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
  assert.match(judge(bundle, withKey({ spkiDer: ed })).problem!, /no P-256 key/);
});

test('a good signature with the proof of another entry is refused', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spkiDer = publicKey.export({ type: 'spki', format: 'der' });
  const thief: TrustedKey = {
    name: 'thief',
    purpose: 'build',
    spkiDer,
    hint: hash('sha256', spkiDer, 'base64'),
    validFromMs: 0,
    validUntilMs: null,
    revokedAtMs: null,
  };
  const changed = JSON.parse(bundle.toString());
  const payload = Buffer.from(changed.dsseEnvelope.payload, 'base64');
  changed.dsseEnvelope.signatures[0].sig = sign('sha256', pae(IN_TOTO_TYPE, payload), privateKey).toString(
    'base64',
  );
  changed.verificationMaterial.publicKey.hint = thief.hint;
  const trust = { ...workshop.trust, keys: [...workshop.trust.keys, thief] };
  assert.match(judge(Buffer.from(JSON.stringify(changed)), trust).problem!, /is another signature/);
});

test('a decision counts only under the gate key, cosign’s sign predicate is known, and unknown predicates are other', async () => {
  const { registry, gate, deps, trust } = workshop;
  const image = await pushImage(registry.client, 'shop', 'decided');
  const target = { service: 'shop', repository: 'shop', digest: image };
  await signStatement(gate, target, {
    predicateType: PREDICATES.decision,
    predicate: { verificationResult: 'PASSED' },
  });
  await signStatement(deps, target, {
    predicateType: PREDICATES.decision,
    predicate: { verificationResult: 'FORGED' },
  });
  await signStatement(deps, target, { predicateType: PREDICATES.signature, predicate: {} });
  await signStatement(deps, target, { predicateType: 'https://example.com/other', predicate: {} });
  const evidence = await collectEvidence(registry.client, 'shop', image, trust);
  assert.deepEqual(evidence.map((one) => [one.kind, one.key, one.verified]).sort(), [
    ['decision', 'build', false],
    ['decision', 'gate', true],
    ['other', 'build', true],
    ['signature', 'build', true],
  ]);
});

test('hostile referrers are each told apart; the good one among them still counts', async () => {
  const { registry, deps, trust } = workshop;
  const { client } = registry;
  const image = await pushImage(client, 'shop', 'attacked');
  await signStatement(
    deps,
    { service: 'shop', repository: 'shop', digest: image },
    { predicateType: PREDICATES.test, predicate: {} },
  );
  const push = async (change: Record<string, unknown>, content = '{"evil":true}') => {
    const blob = Buffer.from(content);
    await client.putBlob('shop', sha256(blob), blob);
    const empty = { mediaType: MEDIA.empty, digest: sha256('{}'), size: 2 };
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA.imageManifest,
      artifactType: MEDIA.sigstoreBundle,
      config: empty,
      layers: [{ mediaType: MEDIA.sigstoreBundle, digest: sha256(blob), size: blob.length }],
      subject: { mediaType: MEDIA.imageManifest, digest: image, size: 1 },
      ...change,
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    return await client.putManifest('shop', sha256(bytes), MEDIA.imageManifest, bytes);
  };
  await push({});
  await push({ layers: [] });
  await push({ layers: 'x' });
  await push({ layers: [{ mediaType: MEDIA.sigstoreBundle, digest: sha256('absent'), size: 1 }] });
  await push({ layers: [{ mediaType: MEDIA.sigstoreBundle, digest: sha256('x'), size: 1e12 }] });
  await push({ layers: [{ mediaType: MEDIA.sigstoreBundle, digest: 'sha256:../../etc', size: 1 }] });
  await push({
    artifactType: 'text/plain',
    layers: [{ mediaType: 'text/plain', digest: sha256('x'), size: 1 }],
  });
  await push({ annotations: { big: 'x'.repeat(300_000) } });
  await push({}, bundle.toString());
  const lying = await push({}, '{"lying":true}');
  registry.blobs.set(
    JSON.parse(registry.manifests.get(lying)!.bytes.toString()).layers[0].digest,
    Buffer.from('swapped'),
  );
  const evidence = await collectEvidence(client, 'shop', image, trust);
  assert.equal(evidence.length, 11);
  assert.deepEqual(
    evidence.filter((one) => one.verified).map((one) => one.kind),
    ['test'],
  );
  for (const one of evidence) assert.equal(one.problem === null, one.verified);
});

test('too many referrers, or too large ones, are bounded and said; an unreachable registry throws and is no evidence', async () => {
  const { registry, trust } = workshop;
  const many = Array.from({ length: MAX_REFERRERS + 7 }, (_, i) => ({
    mediaType: MEDIA.imageManifest,
    digest: sha256(`absent ${i}`),
    size: 1,
  }));
  const flooded = { ...registry.client, referrers: async () => many };
  const evidence = await collectEvidence(flooded, 'shop', digest, trust);
  assert.equal(evidence.length, MAX_REFERRERS + 1);
  assert.match(evidence.at(-1)!.problem!, /it and 6 more were not looked at/);
  const heavy = { ...registry.client, getBlob: async () => Buffer.alloc(31 * 1024 * 1024) };
  const some = await registry.client.referrers('shop', digest);
  const repeated = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const manifest = JSON.parse(
        (await registry.client.getManifest('shop', some[0]!.digest)).bytes.toString(),
      );
      const bytes = Buffer.from(JSON.stringify({ ...manifest, annotations: { i: `${i}` } }));
      return {
        mediaType: MEDIA.imageManifest,
        digest: await registry.client.putManifest('shop', sha256(bytes), MEDIA.imageManifest, bytes),
        size: 1,
      };
    }),
  );
  const bounded = await collectEvidence({ ...heavy, referrers: async () => repeated }, 'shop', digest, trust);
  assert.equal(bounded.length, 13);
  assert.match(bounded.at(-1)!.problem!, /it and 7 more were not looked at/);
  const { SlipwayError } = await import('../../kernel/errors.ts');
  for (const method of ['referrers', 'getManifest', 'getBlob'] as const) {
    const gone = {
      ...registry.client,
      [method]: async () => Promise.reject(new SlipwayError('unreachable', 'gone')),
    };
    await assert.rejects(collectEvidence(gone, 'shop', digest, trust), /gone/);
  }
});
