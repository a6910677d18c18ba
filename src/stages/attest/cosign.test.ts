import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey, hash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { type Digest, digestHex } from '../../kernel/digest.ts';
import { trustedRoot } from '../../support/ledger/log.ts';
import { attestArtifact } from './apply.ts';
import { openWorkshop, pushImage, someInput, type Workshop } from './testing.ts';
import { collectEvidence } from './verify.ts';

const run = promisify(execFile);
const installer = fileURLToPath(new URL('../../../script/tools/cosign', import.meta.url));

let workshop: Workshop;
let cosign: string;
let home: string;
let digest: Digest;
let bundles: string[];
let image: string;
let trust: string[];

before(async () => {
  const found = run(installer, { timeout: 540_000 });
  home = await mkdtemp(join(tmpdir(), 'slipway-cosign-'));
  workshop = await openWorkshop();
  const { registry, deps } = workshop;
  digest = await pushImage(registry.client, 'shop');
  const attached = await attestArtifact(deps, someInput(digest));
  bundles = attached.map(({ referrer }) => bundleOf(referrer));
  const root = join(home, 'trusted-root.json');
  await writeFile(root, JSON.stringify(trustedRoot(deps.log, workshop.trust.keys.at(-1)!.validFromMs)));
  trust = ['--key', join(workshop.keys, 'build.pub'), '--trusted-root', root];
  image = `${registry.host}/shop@${digest}`;
  cosign = (await found).stdout.trim();
});
after(async () => {
  await workshop.close();
  await rm(home, { recursive: true, force: true });
});

function bundleOf(referrer: Digest): string {
  const manifest = JSON.parse(workshop.registry.manifests.get(referrer)!.bytes.toString());
  return workshop.registry.blobs.get(manifest.layers[0].digest)!.toString('utf8');
}

/** Exit code and what it said. No network but loopback is needed, and no home directory is touched. */
async function call(...args: string[]): Promise<{ code: number; output: string }> {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    COSIGN_PASSWORD: '',
    TUF_ROOT: join(home, 'tuf'),
    COSIGN_REPOSITORY: '',
  };
  try {
    const { stdout, stderr } = await run(cosign, args, { env, timeout: 60_000 });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

const blobArgs = (bundle: string) => [
  'verify-blob-attestation',
  ...trust,
  '--bundle',
  bundle,
  '--digest',
  digestHex(digest),
  '--digestAlg',
  'sha256',
  '--check-claims',
];

test('stock cosign verifies every bundle offline, with key and trusted root and no insecure flag', async () => {
  const types = [
    'https://slsa.dev/provenance/v1',
    'https://cyclonedx.org/bom',
    'https://in-toto.io/attestation/test-result/v0.1',
  ];
  for (const [i, type] of types.entries()) {
    const path = join(home, `bundle-${i}.json`);
    await writeFile(path, bundles[i]!);
    const { code, output } = await call(...blobArgs(path), '--type', type);
    assert.equal(code, 0, output);
    assert.match(output, /Verified OK/);
  }
});

// What the bundle repeats (rootHash, the second logIndex) is not in the list: cosign reads it once. Ours holds all of it
// to agree (judge.test.ts).
test('stock cosign refuses a bundle in which the payload, the signature, the proof or the checkpoint was changed', async () => {
  const changes: [string, (bundle: Loose) => void][] = [
    ['payload', (b) => (b.dsseEnvelope.payload = flip(b.dsseEnvelope.payload))],
    ['signature', (b) => (b.dsseEnvelope.signatures[0].sig = flip(b.dsseEnvelope.signatures[0].sig))],
    ['body', (b) => (entryOf(b).canonicalizedBody = flip(entryOf(b).canonicalizedBody))],
    ['index', (b) => (entryOf(b).logIndex = '99')],
    [
      'checkpoint',
      (b) =>
        (entryOf(b).inclusionProof.checkpoint.envelope = entryOf(
          b,
        ).inclusionProof.checkpoint.envelope.replace('\n', 'x\n')),
    ],
    ['no entry', (b) => (b.verificationMaterial.tlogEntries = [])],
  ];
  for (const [name, change] of changes) {
    const bundle = JSON.parse(bundles[0]!) as Loose;
    change(bundle);
    const path = join(home, 'changed.json');
    await writeFile(path, JSON.stringify(bundle));
    const { code } = await call(...blobArgs(path), '--type', 'https://slsa.dev/provenance/v1');
    assert.notEqual(code, 0, name);
  }
});

test('stock cosign finds and verifies the attestations at the image in the registry', async () => {
  const insecureRegistry = ['--allow-http-registry'];
  const verified = await call(
    'verify-attestation',
    ...trust,
    ...insecureRegistry,
    '--type',
    'https://slsa.dev/provenance/v1',
    image,
  );
  assert.equal(verified.code, 0, verified.output);
  const signed = await call('verify', ...trust, ...insecureRegistry, image);
  assert.equal(signed.code, 0, signed.output);
  const wrongKey = ['--key', join(workshop.keys, 'gate.pub'), ...trust.slice(2)];
  const refused = await call(
    'verify-attestation',
    ...wrongKey,
    ...insecureRegistry,
    '--type',
    'https://slsa.dev/provenance/v1',
    image,
  );
  assert.notEqual(refused.code, 0);
  const other = await pushImage(workshop.registry.client, 'shop', 'other');
  const unsigned = await call(
    'verify',
    ...trust,
    ...insecureRegistry,
    `${workshop.registry.host}/shop@${other}`,
  );
  assert.notEqual(unsigned.code, 0);
});

test('what stock cosign signs is seen as a signature, and does not count without a trusted key and the ledger', async () => {
  const other = await pushImage(workshop.registry.client, 'shop', 'signed by cosign');
  const prefix = join(home, 'person');
  await call('generate-key-pair', '--output-key-prefix', prefix);
  const offline = ['--use-signing-config=false', '--tlog-upload=false', '--allow-http-registry', '-y'];
  const signed = await call(
    'sign',
    '--key',
    `${prefix}.key`,
    ...offline,
    `${workshop.registry.host}/shop@${other}`,
  );
  assert.equal(signed.code, 0, signed.output);
  const { keys } = workshop.trust;
  const spkiDer = createPublicKey(await readFile(`${prefix}.pub`, 'utf8')).export({
    type: 'spki',
    format: 'der',
  });
  const person = {
    ...keys[0]!,
    name: 'person',
    purpose: 'person',
    spkiDer,
    hint: hash('sha256', spkiDer, 'base64'),
  };
  const collect = async (trusted: typeof keys) => {
    const trust = { ...workshop.trust, keys: trusted };
    const [evidence, ...rest] = await collectEvidence(workshop.registry.client, 'shop', other, trust);
    assert.equal(rest.length, 0);
    assert.equal(evidence?.kind, 'signature');
    assert.equal(evidence.verified, false);
    return evidence.problem;
  };
  assert.match((await collect(keys))!, /not trusted here/);
  assert.match((await collect([...keys, person]))!, /no proof of inclusion in this ledger/);
});

test('sigstore-js verifies the same bundles and refuses another key', () => {
  const root = TrustedRoot.fromJSON(trustedRoot(workshop.deps.log, 0));
  const verifier = (name: string) => {
    const { spkiDer } = workshop.trust.keys.find((key) => key.name === name)!;
    const material = toTrustMaterial(root, () => ({
      publicKey: createPublicKey({ key: spkiDer, type: 'spki', format: 'der' }),
      validFor: () => true,
    }));
    return new Verifier(material, { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 });
  };
  for (const text of bundles) {
    const entity = toSignedEntity(bundleFromJSON(JSON.parse(text)));
    verifier('build').verify(entity);
    assert.throws(() => verifier('gate').verify(entity));
  }
});

// Bundles are changed on purpose in ways their types do not allow.
// biome-ignore lint/suspicious/noExplicitAny: as said
type Loose = any;

function entryOf(bundle: Loose): Loose {
  return bundle.verificationMaterial.tlogEntries[0];
}

function flip(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bytes.length - 1]! ^= 1;
  return bytes.toString('base64');
}
