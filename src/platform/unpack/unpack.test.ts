import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { sha256 } from '../../kernel/digest.ts';
import { isSlipwayError } from '../../kernel/errors.ts';
import { unpackImage } from './image.ts';
import { UNPACK_LIMITS, type UnpackLimits } from './limits.ts';
import {
  base,
  directory,
  file,
  freshRoot,
  hard,
  layerOf,
  link,
  pax,
  type RawEntry,
  rawTar,
  removeRoots,
} from './testing.ts';
import { type TreeIndex, treeDigest } from './tree-index.ts';
import { verifyTree } from './verify.ts';

after(removeRoots);

async function unpack(
  layers: RawEntry[][],
  limits?: UnpackLimits,
): Promise<{ root: string; index: TreeIndex }> {
  const root = freshRoot();
  const index = await unpackImage(
    root,
    layers.map((entries) => layerOf(rawTar(entries))),
    limits,
  );
  await verifyTree(root, index);
  return { root, index };
}

const paths = (index: TreeIndex) => index.entries.map(({ path }) => path);
const refused = (pattern: RegExp) => (error: unknown) =>
  isSlipwayError(error) && error.code === 'invalid_input' && pattern.test(error.message);

test('layers apply in order: files, directories, links, modes, long names', async () => {
  const long = `deep/${'n'.repeat(180)}.txt`;
  const { root, index } = await unpack([
    [
      directory('./'),
      directory('bin/'),
      { name: 'bin/tool', content: '#!', mode: 0o4755 },
      link('bin/alias', 'tool'),
      hard('bin/same', 'bin/tool'),
    ],
    [
      file('bin/tool', 'new'),
      pax({ path: long }),
      file('short', 'long named'),
      { name: '././@LongLink', type: 'L', content: 'gnu/long\0' },
      file('x'),
    ],
  ]);
  assert.deepEqual(paths(index), [
    'bin',
    'bin/alias',
    'bin/same',
    'bin/tool',
    'deep',
    long,
    'gnu',
    'gnu/long',
  ]);
  assert.equal(readFileSync(join(root, 'bin/tool'), 'utf8'), 'new');
  assert.equal(readFileSync(join(root, 'bin/same'), 'utf8'), '#!', 'the hard link keeps the old content');
  assert.equal(readFileSync(join(root, 'bin/alias'), 'utf8'), 'new');
  assert.equal(statSync(join(root, 'bin/same')).mode & 0o7777, 0o555, 'no set-id bit, nobody may write');
  assert.equal(readFileSync(join(root, long), 'utf8'), 'long named');
});

test('gzip and zstd, in chunks of any size, give the same tree', async () => {
  const tar = rawTar([file('a', 'x'.repeat(5_000)), file('b/c', 'y'.repeat(513))]);
  const digests = new Set<string>();
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    for (const chunk of [1, 511, 512, 4_096])
      digests.add(treeDigest(await unpackImage(freshRoot(), [layerOf(tar, compression, chunk)])));
  }
  assert.equal(digests.size, 1);
});

test('whiteouts hide what lower layers wrote, and nothing of their own layer', async () => {
  const lower = [
    file('a'),
    file('dir/x'),
    file('dir/y'),
    file('opaque/old'),
    file('opaque/sub/old'),
    file('whole/f'),
  ];
  const { index } = await unpack([
    lower,
    [
      file('a', 'again'),
      file('.wh.a', ''),
      file('dir/.wh.x', ''),
      file('opaque/new'),
      file('opaque/.wh..wh..opq', ''),
      file('.wh.whole', ''),
      file('.wh.none', ''),
    ],
  ]);
  assert.deepEqual(paths(index), ['a', 'dir', 'dir/y', 'opaque', 'opaque/new']);
  await assert.rejects(unpack([[file('.wh..', '')]]), refused(/whiteout of nothing/));
  await assert.rejects(unpack([[file('.wh.', '')]]), refused(/whiteout of nothing/));
});

test('a directory, a file and a link replace one another; a parent that is a link is followed inside the image', async () => {
  const { root, index } = await unpack([
    [
      file('was-file'),
      file('was-directory/f'),
      directory('usr/'),
      directory('usr/lib/'),
      link('lib', 'usr/lib'),
      link('absolute', '/usr/lib'),
    ],
    [directory('was-file/'), file('was-directory', 'now a file'), file('lib/module'), file('absolute/other')],
  ]);
  assert.deepEqual(paths(index), [
    'absolute',
    'lib',
    'usr',
    'usr/lib',
    'usr/lib/module',
    'usr/lib/other',
    'was-directory',
    'was-file',
  ]);
  assert.equal(
    readlinkSync(join(root, 'absolute')),
    'usr/lib',
    'an absolute link points into the image, not into the host',
  );
});

test('archives that would reach outside, or that readers take differently, are refused', async () => {
  const hostile: [RawEntry[], RegExp][] = [
    [[file('../escape')], /climbs out/],
    [[file('a/../../escape')], /climbs out/],
    [[pax({ path: '../escape' }), file('x')], /climbs out/],
    [[link('out', '../../etc')], /leaves the image/],
    [[directory('d/'), link('d/up', '..'), link('out', 'd/up/../etc')], /leaves the image/],
    [[link('self', '.'), link('out', 'self/../etc')], /leaves the image/],
    [[link('loop', 'loop'), file('loop/x')], /loop of symlinks/],
    [[hard('out', '../../etc/passwd')], /climbs out/],
    [[link('e', '/etc'), hard('out', 'e/passwd')], /what is not a file/],
    [[directory('d/'), hard('out', 'd')], /what is not a file/],
    [[link('l', 'nowhere'), hard('out', 'l')], /what is not a file/],
    [[{ name: 'null', type: '3' }], /device node/],
    [[{ name: 'disk', type: '4' }], /device node/],
    [[{ name: 'pipe', type: '6' }], /device node/],
    [[{ name: 'sparse', type: 'S' }], /of type "S"/],
    [[pax({ 'GNU.sparse.major': '1' }), file('x')], /sparse/],
    [[pax({ path: 'global' }, 'g'), file('x')], /global header/],
    [[{ name: 'x', type: 'x', content: '99 path=cut\n' }, file('x')], /cut off/],
    [[{ name: 'x', type: 'x', content: 'no length' }, file('x')], /without a length/],
    [[pax({ path: 'a' })], /without an entry/],
    [[pax({ path: 'nul\0led' }), file('x')], /NUL/],
    [[{ name: 'sum', checksum: 1 }], /checksum/],
    [[{ ...link('fat', 'x'), content: 'body' }], /with a body/],
    [[file('a'), file('a/b')], /used as a directory/],
    [[pax({ path: 'n'.repeat(256) }), file('x')], /longer than 255/],
    [[pax({ path: `${'d/'.repeat(70)}f` }), file('x')], /deeper than 64/],
    [[pax({ path: `${'p/'.repeat(2_000)}f` }), file('x')], /too long/],
    [
      [link('long', 't'), pax({ linkpath: 't'.repeat(3_000) }), link('long2', 't')],
      /symlink that is too long/,
    ],
  ];
  for (const [entries, expected] of hostile) {
    await assert.rejects(unpack([entries]), refused(expected), JSON.stringify(entries));
  }
  await assert.rejects(unpack([[file('a'), { name: 'b', size: 9_999 }]]), refused(/cut off/));
  const trailing = Buffer.concat([rawTar([file('a')]), rawTar([file('hidden')])]);
  await assert.rejects(unpackImage(freshRoot(), [layerOf(trailing)]), refused(/after the end/));
  assert.deepEqual(
    readdirSync(base)
      .flatMap((name) => readdirSync(join(base, name)))
      .filter((name) => name !== 'rootfs'),
    [],
  );
});

test('bounds: entries, bytes, expansion', async () => {
  const few = { ...UNPACK_LIMITS, entries: 10 };
  await assert.rejects(
    unpack([Array.from({ length: 11 }, (_, i) => file(`f${i}`))], few),
    refused(/more than 10 entries/),
  );
  // Directories that the archive leaves out count too.
  await assert.rejects(unpack([[file('a/b/c/d/e/f/g/h/i/j/k')]], few), refused(/more than 10/));
  await assert.rejects(
    unpack([[file('a', 'x'.repeat(9_000))]], { ...UNPACK_LIMITS, bytes: 8_000 }),
    refused(/more than 8000 bytes/),
  );
  const bomb = rawTar([file('zeros', '\0'.repeat(4 * 1024 ** 2))]);
  const tight = { ...UNPACK_LIMITS, ratioFreeBytes: 1024 ** 2, ratio: 20 };
  for (const compression of ['gzip', 'zstd'] as const) {
    await assert.rejects(
      unpackImage(freshRoot(), [layerOf(bomb, compression)], tight),
      refused(/once unpacked/),
    );
  }
});

test('a layer that differs from its descriptor or its diff id is refused', async () => {
  const tar = rawTar([file('a')]);
  const good = layerOf(tar, 'gzip');
  const mismatch = (error: unknown) => isSlipwayError(error) && error.code === 'digest_mismatch';
  const other = gzipSync(rawTar([file('b')]));
  await assert.rejects(
    unpackImage(freshRoot(), [{ ...good, open: async () => Readable.from([other]) }]),
    mismatch,
  );
  await assert.rejects(unpackImage(freshRoot(), [{ ...good, diffId: sha256('x') }]), mismatch);
  await assert.rejects(
    unpackImage(freshRoot(), [{ ...good, descriptor: { ...good.descriptor, size: 10 } }]),
    mismatch,
  );
  await assert.rejects(
    unpackImage(freshRoot(), [{ ...good, descriptor: { ...good.descriptor, size: 10_000 } }]),
    mismatch,
  );
  await assert.rejects(
    unpackImage(freshRoot(), [{ ...good, descriptor: { ...good.descriptor, mediaType: 'text/plain' } }]),
    refused(/cannot unpack/),
  );
  const repacked = gzipSync(tar, { level: 0 });
  const sameContent = { ...good.descriptor, size: repacked.length };
  await assert.rejects(
    unpackImage(freshRoot(), [
      { ...good, descriptor: sameContent, open: async () => Readable.from([repacked]) },
    ]),
    mismatch,
  );
  const cut = good.descriptor.size >> 1;
  const broken = Readable.from([gzipSync(tar).subarray(0, cut)]);
  await assert.rejects(
    unpackImage(freshRoot(), [{ ...good, open: async () => broken }]),
    refused(/broken compressed/),
  );
});

test('verification names every kind of change', async () => {
  const changes: [string, (root: string) => void, RegExp][] = [
    ['content', (root) => writeFileSync(join(root, 'a'), 'b'), /"a" has other content/],
    ['size', (root) => writeFileSync(join(root, 'a'), 'longer'), /"a" has 6 bytes, not 1/],
    [
      'type',
      (root) => {
        rmSync(join(root, 'a'));
        mkdirSync(join(root, 'a'));
      },
      /"a" is not a regular file/,
    ],
    ['gone', (root) => rmSync(join(root, 'd/f')), /"d\/f" is missing/],
    ['new', (root) => writeFileSync(join(root, 'd/new'), ''), /"d\/new" is not part of the image/],
  ];
  for (const [name, change, expected] of changes) {
    const { root, index } = await unpack([[file('a'), file('d/f'), link('l', 'a')]]);
    const verified = new Map<string, string>();
    await verifyTree(root, index, verified);
    await verifyTree(root, index, verified);
    change(root);
    await assert.rejects(
      verifyTree(root, index, verified),
      (error) => isSlipwayError(error) && error.code === 'tampered' && expected.test(error.message),
      name,
    );
  }
});
