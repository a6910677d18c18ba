import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { isSlipwayError } from '../../kernel/errors.ts';
import { unpackImage } from './image.ts';
import {
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
import type { TreeIndex } from './tree-index.ts';
import { verifyTree } from './verify.ts';

after(removeRoots);

const names = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', 'c'), weight: 24 },
  { arbitrary: fc.constantFrom('.wh.a', '.wh..wh..opq', '.', ''), weight: 3 },
  { arbitrary: fc.constant('..'), weight: 1 },
);
const step = fc.oneof({ arbitrary: names, weight: 3 }, { arbitrary: fc.constant('..'), weight: 1 });
const somePath = fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const someTarget = fc.array(step, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const absoluteOrNot = fc
  .tuple(fc.boolean(), someTarget)
  .map(([absolute, path]) => (absolute ? `/${path}` : path));
const entry: fc.Arbitrary<RawEntry> = fc.oneof(
  fc.record({ name: somePath, content: fc.string({ maxLength: 20 }) }),
  fc.record({ name: somePath, type: fc.constant('5') }),
  fc.record({ name: somePath, type: fc.constantFrom('1', '2', '2'), target: absoluteOrNot }),
);

test('law: no archive writes, links or reads outside its root, and what is accepted verifies', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(entry, { maxLength: 4 }), { minLength: 1, maxLength: 3 }),
      async (layers) => {
        const root = freshRoot();
        const outer = join(root, '..');
        try {
          const index = await unpackImage(
            root,
            layers.map((entries) => layerOf(rawTar(entries))),
          );
          accepted += 1;
          await verifyTree(root, index);
          assertInside(root, index);
        } catch (error) {
          if (!isSlipwayError(error) || error.code !== 'invalid_input') throw error;
        }
        assert.deepEqual(readdirSync(outer), ['rootfs']);
        rmSync(outer, { recursive: true, force: true });
      },
    ),
    { numRuns: 400 },
  );
  console.log(accepted);
  assert.ok(accepted > 100, `only ${accepted} archives were accepted: the law is void`);
});

/** What every path resolves to, as the kernel sees it, is in the root. */
function assertInside(root: string, index: TreeIndex): void {
  for (const { path, type } of index.entries) {
    const full = join(root, path);
    if (type === 'symlink') {
      let real: string;
      try {
        real = realpathSync(full);
      } catch {
        continue;
      }
      assert.ok(real === root || real.startsWith(`${root}/`), `${path} leads to ${real}`);
    } else if (type === 'file') {
      assert.equal(lstatSync(full).isFile(), true);
      const entryHash = index.entries.find((each) => each.path === path);
      assert.equal(
        entryHash?.type === 'file' && entryHash.sha256,
        createHash('sha256').update(readFileSync(full)).digest('hex'),
      );
    }
  }
}

test('law: an archive with any byte changed is refused or unpacks within its bounds, and never hangs', async () => {
  const tar = rawTar([
    directory('d/'),
    file('d/f', 'x'.repeat(600)),
    link('l', 'd/f'),
    hard('h', 'd/f'),
    pax({ path: 'long' }),
    file('x'),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.nat(tar.length - 1), fc.nat(255), fc.nat(tar.length), async (at, byte, cut) => {
      const changed = Buffer.from(tar.subarray(0, cut === 0 ? tar.length : cut));
      if (at < changed.length) changed[at] = byte;
      const root = freshRoot();
      try {
        await verifyTree(root, await unpackImage(root, [layerOf(changed)]));
      } catch (error) {
        if (!isSlipwayError(error) || error.code !== 'invalid_input') throw error;
      }
      assert.deepEqual(readdirSync(join(root, '..')), ['rootfs']);
      rmSync(join(root, '..'), { recursive: true, force: true });
    }),
    { numRuns: 400 },
  );
});
