import { createHash } from 'node:crypto';
import { arch } from 'node:process';
import { z } from 'zod';
import { type Digest, digestHex, isDigest } from '../kernel/digest.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { type Descriptor, MEDIA } from '../platform/oci/types.ts';
import type { ImageRunConfig } from './command.ts';
import { LIMITS } from './limits.ts';

const digest = z.string().refine(isDigest);
const descriptor = z.object({ mediaType: z.string().max(255), digest, size: z.int().min(0) });

const manifestSchema = z.object({
  config: descriptor,
  layers: z.array(descriptor).max(LIMITS.layers),
});

const indexSchema = z.object({
  manifests: z
    .array(descriptor.extend({ platform: z.object({ os: z.string(), architecture: z.string() }).optional() }))
    .max(1_000),
});

const strings = z
  .array(z.string().max(64 * 1024))
  .max(1_024)
  .nullish()
  .transform((value) => value ?? []);

const configSchema = z.object({
  os: z.string(),
  architecture: z.string(),
  config: z
    .object({ Entrypoint: strings, Cmd: strings, Env: strings, WorkingDir: z.string().max(4_096).nullish() })
    .nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest).max(LIMITS.layers) }),
});

export interface ImageManifest {
  config: Descriptor;
  layers: readonly Descriptor[];
}

export interface ImageConfigFile {
  run: ImageRunConfig;
  diffIds: readonly Digest[];
}

export const INDEX_TYPES = new Set<string>([
  MEDIA.imageIndex,
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);

/** Throws `digest_mismatch` unless `bytes` are what `expected` names. */
export function checkBytes(bytes: Buffer, expected: Digest, what: string): void {
  const algorithm = expected.slice(0, expected.indexOf(':'));
  if (createHash(algorithm).update(bytes).digest('hex') === digestHex(expected)) return;
  throw new SlipwayError('digest_mismatch', `The ${what} does not match ${expected}`, {
    hint: 'The stored bytes were changed or damaged; push the image again from its build.',
  });
}

export function parseManifest(bytes: Buffer): ImageManifest {
  return parse(manifestSchema, bytes, 'image manifest');
}

/** The manifest of this machine's platform in an image index. */
export function choosePlatform(bytes: Buffer): Descriptor {
  const { manifests } = parse(indexSchema, bytes, 'image index');
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === ARCHITECTURE,
  );
  if (fitting.length === 1) return fitting[0]!;
  throw new SlipwayError(
    'invalid_input',
    `The image index names ${fitting.length} images for linux/${ARCHITECTURE}, not one`,
    {
      hint: `Build the image for linux/${ARCHITECTURE}.`,
    },
  );
}

/** The config of an image for this machine; another platform is refused. */
export function parseConfig(bytes: Buffer): ImageConfigFile {
  const { os, architecture, config, rootfs } = parse(configSchema, bytes, 'image config');
  if (os !== 'linux' || architecture !== ARCHITECTURE) {
    throw new SlipwayError(
      'invalid_input',
      `The image is for ${os}/${architecture}, this host is linux/${ARCHITECTURE}`,
      {
        hint: `Build the image for linux/${ARCHITECTURE}.`,
      },
    );
  }
  const run = {
    entrypoint: config?.Entrypoint ?? [],
    command: config?.Cmd ?? [],
    env: config?.Env ?? [],
    workdir: config?.WorkingDir ?? '/',
  };
  return { run, diffIds: rootfs.diff_ids };
}

/** As OCI writes it. */
export const ARCHITECTURE = { x64: 'amd64', ia32: '386' }[arch as string] ?? arch;

function parse<Schema extends z.ZodType>(schema: Schema, bytes: Buffer, what: string): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = undefined;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new SlipwayError(
    'invalid_input',
    `The ${what} does not fit the OCI specification: ${issue?.path.join('.')} ${issue?.message}`,
  );
}
