import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { sha256 } from '../../../kernel/digest.ts';
import { directoryRegistry, IMAGE } from '../build.testing.ts';
import { compareImages, compareMembers, type Member } from '../compare/images.ts';
import { overlay, type TreeEntry } from '../tree/entry.ts';
import { walkTree } from '../tree/walk.ts';
import { copyBaseLayers, parseBase, resolveBase } from './base.ts';
import { planLayer } from './layers.ts';
import { addBytes, addFile, finishLayout, layoutBlob, startLayout } from './layout.ts';
import { imageDocuments, ociArchitecture, sourceAnnotation } from './manifest.ts';
import { packArchive } from './pack.ts';

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-image-'));
});
after(() => rm(home, { recursive: true, force: true }));

interface Variant {
  reversed: boolean;
  mtimeS: number;
  group: boolean;
}

let made = 0;

/** The same files, written in another order, at another time, under another umask. */
async function write(files: Readonly<Record<string, string>>, variant: Variant): Promise<string> {
  const root = join(home, `tree-${++made}${'x'.repeat(made % 40)}`);
  await mkdir(root);
  const paths = Object.keys(files).sort();
  for (const path of variant.reversed ? paths.reverse() : paths) {
    const host = join(root, path);
    await mkdir(dirname(host), { recursive: true });
    await writeFile(host, files[path] ?? '');
    await chmod(host, variant.group ? 0o664 : 0o600);
    await utimes(host, variant.mtimeS, variant.mtimeS);
  }
  return root;
}

async function pack(root: string, compression: 'gzip' | 'zstd', mtimeS = 1_700_000_000) {
  const entries = await walkTree(root, { globs: null, unlock: false });
  const inputs = entries.map((entry) => ({ entry, host: join(root, entry.path) }));
  return packArchive(home, `scratch-${++made}`, inputs, { mtimeS, compression });
}

test('the same tree gives the same bytes, whatever the order of its making, times and modes', async () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9ü€ ._-]{1,40}$/).filter((text) => !/^\.*$/.test(text));
  const file = fc.tuple(
    fc
      .array(name, { minLength: 1, maxLength: 3 })
      .map((parts) => parts.map((part, i) => `${i}${part}`).join('/')),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 8 }), async (list) => {
      // A path may not be both a file and a directory.
      const files = Object.fromEntries(
        list.filter(([path]) => !list.some(([other]) => other.startsWith(`${path}/`))),
      );
      fc.pre(Object.keys(files).length > 0);
      for (const compression of ['gzip', 'zstd'] as const) {
        const one = await pack(await write(files, { reversed: false, mtimeS: 1, group: false }), compression);
        const two = await pack(
          await write(files, { reversed: true, mtimeS: 1_600_000_000, group: true }),
          compression,
        );
        assert.equal(one.digest, two.digest);
        assert.equal(one.diffId, two.diffId);
      }
    }),
    { numRuns: 25 },
  );
});

test('GNU tar reads what was packed: long and foreign names, big files, links, executables', async () => {
  const big = 'line of text\n'.repeat(400_000);
  const root = await write(
    {
      big,
      [`d/${'n'.repeat(240)}`]: 'long',
      [`${'p/'.repeat(90)}leaf`]: 'deep',
      'ünïcödé/✓': 'utf',
      empty: '',
    },
    { reversed: false, mtimeS: 5, group: false },
  );
  await writeFile(join(root, 'run'), '#!/bin/sh\n', { mode: 0o700 });
  await symlink('big', join(root, 'link'));
  await symlink('x'.repeat(200), join(root, 'long-link'));
  for (const compression of ['gzip', 'zstd'] as const) {
    const packed = await pack(root, compression);
    const stored = await readFile(packed.path);
    assert.equal(sha256(stored), packed.digest);
    const tar = compression === 'gzip' ? gunzipSync(stored) : zstdDecompressSync(stored);
    assert.equal(sha256(tar), packed.diffId);
    assert.equal(tar.length, packed.unpackedSize);
    const target = join(home, `out-${compression}`);
    await mkdir(target);
    execFileSync('tar', ['-xf', '-', '-C', target], {
      input: tar,
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    execFileSync('diff', ['-r', '--no-dereference', root, target]);
    const listing = execFileSync('tar', ['-tvf', '-'], { input: tar, encoding: 'utf8' });
    assert.match(listing, /^-rwxr-xr-x .* run$/m);
    assert.match(listing, /^-rw-r--r-- .* empty$/m);
    if (compression === 'gzip') execFileSync('gzip', ['-t'], { input: stored });
    else execFileSync('zstd', ['-t', '-q'], { input: stored });
  }
});

const noHistory = {
  revision: 'a'.repeat(40),
  source: 'https://x/y',
  version: 'aaaaaaaaaaaa',
  createdS: 1_700_000_000,
};

async function layoutOf(root: string, name: string, mtimeS = 1_700_000_000): Promise<string> {
  const packed = await pack(root, 'zstd', mtimeS);
  const layout = join(home, name);
  await startLayout(layout);
  await addFile(layout, packed.digest, packed.path);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
  const layer = {
    name: 'app',
    descriptor: { mediaType, digest: packed.digest, size: packed.size },
    diffId: packed.diffId,
  };
  const facts = { ...noHistory, architecture: ociArchitecture(process.arch) };
  const { config, manifest } = imageDocuments(
    { ...IMAGE, ports: [8080], env: { B: '2', A: '1' } },
    [layer],
    null,
    facts,
  );
  await addBytes(layout, config.descriptor.digest, config.bytes);
  await addBytes(layout, manifest.digest, manifest.bytes);
  await finishLayout(layout, manifest.digest, 'v1');
  return layout;
}

test('skopeo reads the layout and copies it', async () => {
  const layout = await layoutOf(
    await write({ 'server.js': 'x' }, { reversed: false, mtimeS: 1, group: false }),
    'layout',
  );
  const found = JSON.parse(execFileSync('skopeo', ['inspect', `oci:${layout}:v1`], { encoding: 'utf8' }));
  assert.equal(found.Os, 'linux');
  assert.deepEqual(found.Env, ['A=1', 'B=2']);
  assert.equal(found.Created, '2023-11-14T22:13:20Z');
  const config = JSON.parse(
    execFileSync('skopeo', ['inspect', '--config', `oci:${layout}:v1`], { encoding: 'utf8' }),
  );
  assert.deepEqual(config.config.ExposedPorts, { '8080/tcp': {} });
  execFileSync('skopeo', ['copy', '--quiet', `oci:${layout}:v1`, `dir:${join(home, 'copied')}`]);
});

test('two layouts are compared down to the time of a file', async () => {
  const root = await write({ a: '1', b: '2' }, { reversed: false, mtimeS: 1, group: false });
  const [one, same, later] = [
    await layoutOf(root, 'l1'),
    await layoutOf(root, 'l2'),
    await layoutOf(root, 'l3', 1_700_000_001),
  ];
  assert.equal((await compareImages(one, same)).verdict, 'byte-identical');
  const soft = await compareImages(one, later);
  assert.equal(soft.verdict, 'content-identical');
  assert.equal(soft.difference?.why, 'time');
  assert.equal(soft.difference?.path, 'a');
  await writeFile(join(root, 'b'), '2 and something else');
  const hard = await compareImages(one, await layoutOf(root, 'l4'));
  assert.equal(hard.verdict, 'diverged');
  assert.deepEqual([hard.difference?.path, hard.difference?.why, hard.difference?.offset], ['b', 'size', 1]);
});

test('differences of members are told apart', () => {
  const member = (path: string, over: Partial<Member> = {}): Member => {
    return { path, type: 'file', mode: 0o644, size: 1, link: '', mtimeS: 0, sha256: 'x', ...over };
  };
  const why = (a: Member[], b: Member[]) => compareMembers('l', a, b)?.difference.why ?? null;
  assert.equal(why([member('a')], [member('a')]), null);
  assert.equal(why([member('a'), member('b')], [member('b'), member('a')]), 'order');
  assert.equal(why([member('a')], [member('a', { mtimeS: 9 })]), 'time');
  assert.equal(
    why([member('a', { mtimeS: 3 }), member('b')], [member('a'), member('b', { sha256: 'y' })]),
    'content',
  );
  assert.equal(why([member('a')], []), 'only in the first');
  assert.equal(why([], [member('a')]), 'only in the second');
  assert.equal(why([member('a')], [member('a', { mode: 0o755 })]), 'mode');
  assert.equal(why([member('a')], [member('a', { type: 'symlink' })]), 'type');
});

const entry = (path: string, type: TreeEntry['type'] = 'file', target = ''): TreeEntry => {
  return { path, type, mode: 0o644, size: 0, target, sha256: '' };
};

test('a layer takes what its patterns name, below its place, with the directories that lead there', () => {
  const tree = overlay([
    {
      origin: 'source',
      entries: [entry('dist', 'directory'), entry('dist/a.js'), entry('dist/a.test.js'), entry('README')],
    },
  ]);
  const layer = { name: 'app', from: ['dist'], to: '/srv/app', exclude: ['**/*.test.js'] };
  assert.deepEqual(
    planLayer(layer, tree, 'scratch').map((planned) => planned.entry.path),
    ['srv', 'srv/app', 'srv/app/dist', 'srv/app/dist/a.js'],
  );
  assert.throws(() => planLayer({ ...layer, from: ['dst'] }, tree, 'scratch'), /dst takes nothing/);
  assert.throws(() => planLayer({ ...layer, to: '/../x' }, tree, 'scratch'), /climbs out/);
});

test('symlinks stay inside of the image', () => {
  const plan = (target: string, base = 'scratch', to = '/app') =>
    planLayer(
      { name: 'l', from: ['.'], to, exclude: [] },
      overlay([{ origin: 's', entries: [entry('d/x', 'symlink', target)] }]),
      base,
    );
  for (const target of ['y', '../y', '../../etc/x', 'a/../../../b', './.'])
    assert.equal(plan(target).at(-1)?.entry.target, target);
  for (const target of ['../../../x', '/etc/passwd', '../a/../../../b', '..////..//../x'])
    assert.throws(() => plan(target), /leads out/, target);
  assert.throws(() => plan('../../x', 'scratch', '/'), /leads out/);
  assert.ok(plan('/usr/bin/python3', `base@sha256:${'0'.repeat(64)}`));
});

test('laid over each other, trees never leave a path below a file or link', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'));
  const leaf = fc.tuple(path, fc.constantFrom('file' as const, 'symlink' as const, 'directory' as const));
  const tree = fc.array(leaf, { maxLength: 6 }).map((list) => {
    const entries = list.map(([where, type]) => entry(where, type));
    // A tree on disk has no path below a leaf, and no path twice.
    return entries.filter(
      (a, i) =>
        !entries.some(
          (b, j) =>
            (b.path === a.path && j > i) || (b.type !== 'directory' && a.path.startsWith(`${b.path}/`)),
        ),
    );
  });
  fc.assert(
    fc.property(fc.array(tree, { minLength: 1, maxLength: 3 }), (trees) => {
      const merged = overlay(trees.map((entries, origin) => ({ entries, origin })));
      const byPath = new Map(merged.map((placed) => [placed.entry.path, placed]));
      assert.equal(byPath.size, merged.length);
      for (const { entry: one } of merged) {
        const parent = dirname(one.path);
        if (parent !== '.')
          assert.equal(byPath.get(parent)?.entry.type, 'directory', `${one.path} below ${parent}`);
      }
      for (const one of trees.at(-1) ?? []) assert.equal(byPath.get(one.path)?.entry.type, one.type);
    }),
  );
});

test('credentials never enter the source annotation', () => {
  assert.equal(sourceAnnotation('https://user:token@host/x.git?y#z'), 'https://host/x.git');
  assert.equal(sourceAnnotation('ssh://git@host/x'), 'ssh://host/x');
  assert.equal(sourceAnnotation('git@host:x/y.git'), 'git@host:x/y.git');
});

test('a base is named by digest, fits the machine, and is whole', async () => {
  const registry = await directoryRegistry(join(home, 'registry'));
  const layer = Buffer.from('not looked into');
  const architecture = ociArchitecture(process.arch);
  const push = async (
    change: { architecture?: string; diffIds?: string[]; type?: string; layer?: Buffer } = {},
  ) => {
    const bytes = change.layer ?? layer;
    if (bytes === layer) await registry.putBlob('base', sha256(layer), layer);
    const document = {
      os: 'linux',
      architecture: change.architecture ?? architecture,
      config: { Env: ['PATH=/bin', 'A=base'], Labels: { from: 'base' } },
      rootfs: { type: 'layers', diff_ids: change.diffIds ?? [`sha256:${'1'.repeat(64)}`] },
      history: [{ created_by: 'base' }],
    };
    const config = Buffer.from(JSON.stringify(document));
    await registry.putBlob('base', sha256(config), config);
    const mediaType = change.type ?? 'application/vnd.oci.image.layer.v1.tar+gzip';
    const manifest = {
      schemaVersion: 2,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: sha256(config),
        size: config.length,
      },
      layers: [{ mediaType, digest: sha256(bytes), size: bytes.length }],
    };
    const stored = Buffer.from(JSON.stringify(manifest));
    return `base@${await registry.putManifest('base', sha256(stored), '', stored)}`;
  };
  const name = await push();
  const base = await resolveBase(registry, name, architecture);
  const layout = join(home, 'with-base');
  await startLayout(layout);
  await copyBaseLayers(registry, base, layout);
  assert.deepEqual(await readFile(layoutBlob(layout, sha256(layer))), layer);
  const own = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256('own'), size: 3 };
  const facts = { ...noHistory, architecture };
  const image = { ...IMAGE, env: { A: 'own' }, labels: { own: 'yes' } };
  const documents = imageDocuments(
    image,
    [{ name: 'app', descriptor: own, diffId: sha256('own') }],
    base,
    facts,
  );
  const config = JSON.parse(documents.config.bytes.toString());
  assert.deepEqual(config.config.Env, ['A=own', 'PATH=/bin']);
  assert.deepEqual(config.config.Labels, { from: 'base', own: 'yes' });
  assert.equal(config.rootfs.diff_ids.length, 2);
  assert.equal(config.history.length, 2);
  const manifest = JSON.parse(documents.manifest.bytes.toString());
  assert.deepEqual(
    manifest.layers.map(({ digest }: { digest: string }) => digest),
    [sha256(layer), sha256('own')],
  );
  assert.equal(manifest.annotations['org.opencontainers.image.base.digest'], base.digest);

  const refused = async (change: Parameters<typeof push>[0], why: RegExp) =>
    assert.rejects(resolveBase(registry, await push(change), architecture), why);
  await refused({ architecture: 'mips' }, /is for linux\/mips, not linux/);
  await refused({ diffIds: [] }, /names other layers than it has/);
  await refused({ type: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }, /foreign/);
  await refused({ layer: Buffer.from('never pushed') }, /lacks its layer/);
  assert.throws(() => parseBase('debian:12'), /not pinned by digest/);
  assert.equal(parseBase(`host:5000/debian:12@sha256:${'a'.repeat(64)}`).repository, 'host:5000/debian');
});
