import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { type Digest, sha256 } from '../../../src/kernel/digest.ts';
import { PREDICATES } from '../../../src/kernel/evidence.ts';
import { createRegistryClient } from '../../../src/platform/oci/client.ts';
import { MEDIA, type RegistryClient } from '../../../src/platform/oci/types.ts';
import { IN_TOTO_TYPE, pae } from '../../../src/stages/attest/dsse.ts';
import { pushReferrer, referrerManifest } from '../../../src/stages/attest/referrers.ts';
import type { Installation } from './installation.ts';

const MAX_BUNDLE_BYTES = 1_048_576;

/** An ordinary client of the registry. */
export function registryOf(installation: Installation): RegistryClient {
  const { url, token } = installation.api();
  return createRegistryClient({ url, credentials: { username: 'e2e', password: token }, userAgent: 'e2e' });
}

/** The image again under another digest, by an annotation, without any evidence. */
export async function pushUnsigned(
  installation: Installation,
  repository: string,
  original: Digest,
  note: string,
): Promise<Digest> {
  const registry = registryOf(installation);
  const { bytes } = await registry.getManifest(repository, original);
  const manifest = { ...(JSON.parse(bytes.toString()) as object), annotations: { 'org.example.note': note } };
  const changed = Buffer.from(JSON.stringify(manifest));
  return registry.putManifest(repository, sha256(changed), MEDIA.imageManifest, changed);
}

interface Bundle {
  verificationMaterial: { publicKey: { hint: string } };
  dsseEnvelope: { payload: string; signatures: { sig: string }[] };
}

/** An image with the original's provenance, rewritten for it and signed soundly, by a key of somebody else. */
export async function signedByStranger(
  installation: Installation,
  repository: string,
  original: Digest,
): Promise<Digest> {
  const registry = registryOf(installation);
  const digest = await pushUnsigned(installation, repository, original, 'with provenance of a stranger');
  const bundle = await provenanceOf(registry, repository, original);
  const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString()) as object;
  const subject = [{ name: repository, digest: { sha256: digest.slice('sha256:'.length) } }];
  const payload = Buffer.from(JSON.stringify({ ...statement, subject }));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  bundle.verificationMaterial.publicKey.hint = createHash('sha256').update(spki).digest('base64');
  bundle.dsseEnvelope.payload = payload.toString('base64');
  bundle.dsseEnvelope.signatures = [
    { sig: sign('sha256', pae(IN_TOTO_TYPE, payload), privateKey).toString('base64') },
  ];
  const bytes = Buffer.from(JSON.stringify(bundle));
  const target = await registry.getManifest(repository, digest);
  const manifest = referrerManifest({
    subject: { mediaType: target.mediaType, digest, size: target.bytes.length },
    bundle: bytes,
    predicateType: PREDICATES.provenance,
    createdMs: Date.now(),
  });
  await pushReferrer(registry, repository, bytes, manifest);
  return digest;
}

async function provenanceOf(registry: RegistryClient, repository: string, digest: Digest): Promise<Bundle> {
  for (const descriptor of await registry.referrers(repository, digest)) {
    if (descriptor.annotations?.['dev.sigstore.bundle.predicateType'] !== PREDICATES.provenance) continue;
    const { bytes } = await registry.getManifest(repository, descriptor.digest);
    const { layers } = JSON.parse(bytes.toString()) as { layers: { digest: Digest }[] };
    return JSON.parse(
      (await registry.getBlob(repository, layers[0]!.digest, MAX_BUNDLE_BYTES)).toString(),
    ) as Bundle;
  }
  throw new Error(`${digest} has no provenance`);
}

/** The last layer of an image: where its files are. */
export async function lastLayer(
  installation: Installation,
  repository: string,
  digest: Digest,
): Promise<Digest> {
  const { bytes } = await registryOf(installation).getManifest(repository, digest);
  const { layers } = JSON.parse(bytes.toString()) as { layers: { digest: Digest }[] };
  return layers.at(-1)!.digest;
}
