import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SlipwayError } from '../../kernel/errors.ts';
import { createDurably } from '../../platform/durable.ts';

const FILE = /^[a-z0-9-]{1,80}\.key\.age$/;

const keySchema = z.strictObject({
  name: z.string().regex(/^[a-z]{1,16}(-\d{1,6})?$/),
  purpose: z.enum(['build', 'gate', 'ledger']),
  algorithm: z.enum(['ecdsa-p256', 'ed25519']),
  file: z.string().regex(FILE),
  /** SPKI DER, base64. */
  publicKey: z.base64().max(1_000),
  validFrom: z.iso.datetime(),
  validUntil: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
});

const manifestSchema = z.strictObject({
  version: z.literal(1),
  keys: z.array(keySchema).max(10_000),
  sealFile: z.string().regex(FILE),
});

export type KeyRecord = z.infer<typeof keySchema>;
export type Manifest = z.infer<typeof manifestSchema>;

const REVISION = /^keyring-(\d{1,9})\.json$/;

/**
 * What the keyring holds, in `keyring-<n>.json`; the highest revision counts. A key exists when a revision names it, so
 * revision n+1 is the commit point of every change, and since a file is made only once, of two writers one wins.
 */
export async function readManifest(
  directory: string,
): Promise<{ revision: number; manifest: Manifest } | null> {
  const revisions = (await readdir(directory)).flatMap((name) => REVISION.exec(name)?.[1] ?? []).map(Number);
  if (revisions.length === 0) return null;
  const revision = Math.max(...revisions);
  const name = `keyring-${revision}.json`;
  try {
    const text = await readFile(join(directory, name), 'utf8');
    return { revision, manifest: manifestSchema.parse(JSON.parse(text)) };
  } catch (error) {
    throw new SlipwayError('tampered', `${name} in the keyring is not readable as one`, {
      hint: 'Restore the keys directory from its backup.',
      cause: error,
    });
  }
}

/** False when another process made this revision first. */
export async function writeManifest(
  directory: string,
  revision: number,
  manifest: Manifest,
): Promise<boolean> {
  const text = `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`;
  return await createDurably(join(directory, `keyring-${revision}.json`), text);
}
