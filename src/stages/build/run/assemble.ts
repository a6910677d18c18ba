import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageConfig } from '../../../kernel/config.ts';
import { type Descriptor, MEDIA } from '../../../platform/oci/types.ts';
import { findLayer, layerKey, type StoredLayer, storeLayer } from '../cache/layers.ts';
import { copyBaseLayers, resolveBase } from '../image/base.ts';
import { type LayerEntry, planLayer } from '../image/layers.ts';
import { addBytes, addFile, finishLayout, startLayout } from '../image/layout.ts';
import {
  type BaseImage,
  type BuiltLayer,
  type ImageDocuments,
  imageDocuments,
  ociArchitecture,
} from '../image/manifest.ts';
import type { TarInput } from '../image/tar.ts';
import { inOrder } from '../plan.ts';
import type { LayerReport } from '../report.ts';
import { overlay, type PlacedEntry } from '../tree/entry.ts';
import { inParallel } from '../tree/parallel.ts';
import type { RunContext, StepOutput, StepResult } from './context.ts';
import { pathsEpoch } from './epoch.ts';

/** Layers packed at once: one compresses with all cores (gzip) or one (zstd) while the other reads. */
const LAYERS_AT_ONCE = 2;

/** Whose files: the source's or a step's. Cached outputs are unpacked only when a layer really needs their bytes. */
interface Owner {
  step: string | null;
  epochS: number | null;
  directory(): Promise<string>;
}

export interface AssembledImage {
  layout: string;
  documents: ImageDocuments;
  blobs: readonly Descriptor[];
  layers: readonly LayerReport[];
  base: BaseImage | null;
  sizeBytes: number;
}

/**
 * Packs the image of a finished run into an OCI layout below the work directory. Layers whose files, time and compression are
 * known to the cache are taken from there.
 */
export async function assembleImage(
  context: RunContext,
  image: ImageConfig,
  results: ReadonlyMap<string, StepResult>,
  facts: { source: string; tag: string },
): Promise<AssembledImage> {
  const { deps, workDirectory } = context;
  const layout = join(workDirectory, 'image');
  await startLayout(layout);
  const architecture = ociArchitecture(deps.toolchain.arch);
  const base = image.base === 'scratch' ? null : await resolveBase(deps.registry, image.base, architecture);
  if (base) await copyBaseLayers(deps.registry, base, layout);
  const tree = ownedTree(context, results);
  const built: (BuiltLayer & { report: LayerReport })[] = [];
  await inParallel([...image.layers.entries()], LAYERS_AT_ONCE, async ([index, layer]) => {
    context.signal.throwIfAborted();
    const planned = planLayer(layer, tree, image.base);
    const mtimeS = await layerEpoch(context, layer.from, planned);
    const { stored, cached } = await packLayer(context, planned, mtimeS, image);
    await addFile(layout, stored.digest, context.cache.blobPath(stored.digest));
    const mediaType = image.compression === 'gzip' ? MEDIA.layerTarGzip : MEDIA.layerTarZstd;
    const { digest, size, diffId, unpackedSize } = stored;
    built[index] = {
      name: layer.name,
      descriptor: { mediaType, digest, size },
      diffId,
      report: { name: layer.name, digest, diffId, size, unpackedSize, cached },
    };
  });
  const documents = imageDocuments(image, built, base, {
    revision: context.commit,
    source: facts.source,
    version: facts.tag,
    createdS: context.commitS,
    architecture,
  });
  await addBytes(layout, documents.config.descriptor.digest, documents.config.bytes);
  await addBytes(layout, documents.manifest.digest, documents.manifest.bytes);
  await finishLayout(layout, documents.manifest.digest, facts.tag);
  const blobs = [
    ...(base?.layers ?? []),
    ...built.map(({ descriptor }) => descriptor),
    documents.config.descriptor,
  ];
  const sizeBytes = blobs.reduce((sum, { size }) => sum + size, documents.manifest.bytes.length);
  return { layout, documents, blobs, layers: built.map(({ report }) => report), base, sizeBytes };
}

function ownedTree(context: RunContext, results: ReadonlyMap<string, StepResult>): PlacedEntry<Owner>[] {
  const source: Owner = { step: null, epochS: null, directory: async () => context.source.directory };
  const outputs = inOrder(context.steps).flatMap(({ name }) => {
    const result = results.get(name);
    if (!result?.output) return [];
    const { output, epochS } = result;
    return [
      {
        entries: output.entries,
        origin: { step: name, epochS, directory: unpackOnce(context, name, output) },
      },
    ];
  });
  return overlay<Owner>([{ entries: context.source.entries, origin: source }, ...outputs]);
}

function unpackOnce(
  context: RunContext,
  step: string,
  { entries, origin }: StepOutput,
): () => Promise<string> {
  let unpacked: Promise<string> | undefined;
  return () => {
    if (origin.kind === 'directory') return Promise.resolve(origin.path);
    unpacked ??= (async () => {
      const directory = join(context.workDirectory, 'outputs', step);
      await mkdir(directory, { recursive: true });
      const files = entries.filter(({ type }) => type === 'file').map(({ path }) => path);
      await origin.write(new Set(files), directory);
      return directory;
    })();
    return unpacked;
  };
}

/** The latest time of what the layer is made of: of the steps, and of the source where files come straight from it. */
async function layerEpoch(
  context: RunContext,
  from: readonly string[],
  planned: readonly LayerEntry<Owner>[],
): Promise<number> {
  const owners = new Set(planned.flatMap(({ source }) => (source ? [source.origin] : [])));
  const times = await Promise.all(
    [...owners].map(
      async ({ step, epochS }) =>
        (step === null ? await pathsEpoch(context, from) : epochS) ?? context.commitS,
    ),
  );
  return times.length === 0 ? context.commitS : Math.max(...times);
}

async function packLayer(
  context: RunContext,
  planned: readonly LayerEntry<Owner>[],
  mtimeS: number,
  { compression }: ImageConfig,
): Promise<{ stored: StoredLayer; cached: boolean }> {
  const { cache, deps, buildId } = context;
  const key = layerKey(
    planned.map(({ entry }) => entry),
    mtimeS,
    compression,
  );
  const found = await findLayer(cache, key, deps.clock.nowMs());
  if (found.kind === 'hit') return { stored: found.value, cached: true };
  const inputs: TarInput[] = [];
  for (const { entry, source } of planned) {
    const host = source && entry.type === 'file' ? join(await source.origin.directory(), source.path) : '';
    inputs.push({ entry, host });
  }
  return { stored: await storeLayer(cache, key, inputs, { mtimeS, compression, buildId }), cached: false };
}
