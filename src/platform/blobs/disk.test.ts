import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { type Digest, digestHex, sha256 } from '../../kernel/digest.ts';
import { openDiskStore } from './disk.ts';
import { nodeFiles } from './files.ts';
import type { BlobStore } from './store.ts';
import { scrub, verifyBlob } from './verify.ts';

const MAX = 64 * 1024 * 1024;
let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
});
after(() => rm(home, { recursive: true, force: true }));

async function fresh(
  options: Parameters<typeof openDiskStore>[1] = {},
): Promise<{ store: BlobStore; directory: string }> {
  const directory = await mkdtemp(join(home, 'store-'));
  return { store: openDiskStore(directory, options), directory };
}

async function read(
  store: BlobStore,
  digest: Digest,
  range?: { start: number; end: number },
): Promise<Buffer> {
  const { stream } = await store.open(digest, range);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Until the store has read all that was written so far. */
async function taken(source: PassThrough): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!source.readableFlowing || source.readableLength > 0) {
    assert.ok(Date.now() < deadline, 'the store does not read');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const sha512 = (bytes: Buffer): Digest => `sha512:${createHash('sha512').update(bytes).digest('hex')}`;

describe('blobs on disk', () => {
  it('gives back what was put, whole and by range, from memory and from a stream, sha256 and sha512', async () => {
    const { store } = await fresh();
    const bytes = randomBytes(3 * 1024 * 1024 + 17);
    const first = await store.put(bytes, { maxBytes: MAX });
    assert.deepEqual(first, { digest: sha256(bytes), size: bytes.length });
    const second = await store.put(Readable.from([bytes.subarray(0, 5), bytes.subarray(5)]), {
      maxBytes: MAX,
      expected: sha512(bytes),
    });
    assert.equal(second.digest, sha512(bytes));
    for (const digest of [first.digest, second.digest]) {
      assert.ok((await read(store, digest)).equals(bytes));
      assert.ok((await read(store, digest, { start: 10, end: 1048600 })).equals(bytes.subarray(10, 1048601)));
      assert.equal(await store.stat(digest), bytes.length);
    }
    const listed: string[] = [];
    for await (const blob of store.list()) listed.push(blob.digest);
    assert.deepEqual(listed.sort(), [first.digest, second.digest].sort());
    assert.equal(await store.delete(first.digest), true);
    assert.equal(await store.delete(first.digest), false);
    await assert.rejects(read(store, first.digest), { code: 'not_found' });
  });

  it('holds the empty blob', async () => {
    const { store } = await fresh();
    const { digest } = await store.put(Buffer.alloc(0), { maxBytes: MAX });
    assert.equal((await read(store, digest)).length, 0);
    await verifyBlob(store, digest);
  });

  it('keeps nothing of bytes that are not the expected ones, or too many', async () => {
    const { store, directory } = await fresh();
    const expected = sha256('other');
    await assert.rejects(store.put(Buffer.from('bytes'), { expected, maxBytes: MAX }), {
      code: 'digest_mismatch',
    });
    await assert.rejects(store.put(randomBytes(100), { maxBytes: 99 }), { code: 'payload_too_large' });
    await assert.rejects(store.put(Readable.from([randomBytes(60), randomBytes(60)]), { maxBytes: 99 }), {
      code: 'payload_too_large',
    });
    assert.equal(await store.stat(expected), null);
    assert.deepEqual(await readdir(join(directory, 'uploads')), []);
  });

  it('refuses a digest and an id that would leave the directory', async () => {
    const { store } = await fresh();
    await assert.rejects(store.open('sha256:../../etc/passwd' as Digest), TypeError);
    assert.equal(await store.uploadOffset('../blobs'), null);
    await assert.rejects(store.append('..', Buffer.from('x'), { maxBytes: 1 }), { code: 'not_found' });
    assert.equal(await store.cancel('../../x'), false);
  });

  it('law: any cut of the bytes into appends gives the same blob, also across a restart of the store', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 0, maxLength: 3000 }), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        fc.boolean(),
        async (parts, restart, long) => {
          const { store, directory } = await fresh();
          const whole = Buffer.concat(parts);
          const digest = long ? sha512(whole) : sha256(whole);
          const id = await store.createUpload();
          let offset = 0;
          let current = store;
          for (const part of parts) {
            if (restart) current = openDiskStore(directory);
            const next = await current.append(id, Readable.from([Buffer.from(part)]), {
              offset,
              maxBytes: MAX,
            });
            assert.equal(next, offset + part.length);
            offset = next;
          }
          assert.deepEqual(await current.commit(id, digest), { digest, size: whole.length });
          assert.ok((await read(current, digest)).equals(whole));
          assert.equal(await current.uploadOffset(id), null);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('an append at another offset, of another length or too large changes nothing', async () => {
    const { store } = await fresh();
    const id = await store.createUpload();
    await store.append(id, Buffer.from('01234'), { offset: 0, maxBytes: 10 });
    const attempt = (text: string, options: { offset?: number; length?: number }) =>
      store.append(id, Readable.from([Buffer.from(text)]), { maxBytes: 10, ...options });
    await assert.rejects(attempt('x', { offset: 4 }), { code: 'conflict', facts: { offset: 5 } });
    await assert.rejects(attempt('x', { offset: 6 }), { code: 'conflict' });
    await assert.rejects(attempt('56', { offset: 5, length: 3 }), { code: 'invalid_input' });
    await assert.rejects(attempt('5678', { offset: 5, length: 3 }), { code: 'invalid_input' });
    await assert.rejects(attempt('567890', { offset: 5 }), { code: 'payload_too_large' });
    assert.equal(await store.uploadOffset(id), 5);
    await attempt('56789', { offset: 5, length: 5 });
    await store.commit(id, sha256('0123456789'));
  });

  it('keeps the bytes of a sender that went away or fell silent, and goes on from there', async () => {
    const { store } = await fresh({ idleMs: 50 });
    const id = await store.createUpload();
    const broken = new PassThrough();
    const first = store.append(id, broken, { maxBytes: MAX });
    broken.write('hello ');
    await taken(broken);
    broken.destroy(new Error('connection reset'));
    await assert.rejects(first, { code: 'cancelled', facts: { offset: 6 } });
    const silent = new PassThrough();
    silent.write('wor');
    await assert.rejects(store.append(id, silent, { maxBytes: MAX }), {
      code: 'cancelled',
      facts: { offset: 9 },
    });
    await store.append(id, Buffer.from('ld'), { offset: 9, maxBytes: MAX });
    await store.commit(id, sha256('hello world'));
  });

  it('a second append ends the first, and their bytes do not mix', async () => {
    const { store } = await fresh();
    const id = await store.createUpload();
    const stuck = new PassThrough();
    const first = assert.rejects(store.append(id, stuck, { offset: 0, maxBytes: MAX }), {
      code: 'cancelled',
    });
    stuck.write('aaaa');
    await taken(stuck);
    await assert.rejects(store.append(id, Buffer.from('bbbb'), { offset: 0, maxBytes: MAX }), {
      code: 'conflict',
      facts: { offset: 4 },
    });
    await first;
    stuck.write('zzzz');
    await store.append(id, Buffer.from('cccc'), { offset: 4, maxBytes: MAX });
    await store.commit(id, sha256('aaaacccc'));
  });

  it('two processes on one directory never vouch for the bytes of each other', async () => {
    const { store: one, directory } = await fresh();
    const two = openDiskStore(directory);
    const id = await one.createUpload();
    await one.append(id, Buffer.from('base '), { offset: 0, maxBytes: MAX });
    // Both write at the same place at the same time; neither knows of the other.
    const [slowOne, slowTwo] = [new PassThrough(), new PassThrough()];
    const appends = [
      one.append(id, slowOne, { offset: 5, maxBytes: MAX }),
      two.append(id, slowTwo, { offset: 5, maxBytes: MAX }),
    ];
    slowOne.write('good');
    slowTwo.write('evil');
    await Promise.all([taken(slowOne), taken(slowTwo)]);
    slowOne.end();
    slowTwo.end();
    await Promise.all(appends);
    const [good, evil] = [sha256('base good'), sha256('base evil')];
    const outcomes = await Promise.allSettled([one.commit(id, good), two.commit(id, evil)]);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.deepEqual(await scrub(one), []);
    for (const [index, digest] of [good, evil].entries()) {
      assert.equal((await one.stat(digest)) !== null, outcomes[index]!.status === 'fulfilled');
    }
  });

  it('a late write of a process that lost the upload does not reach the published blob', async () => {
    const { store: one, directory } = await fresh();
    const two = openDiskStore(directory);
    const id = await one.createUpload();
    const late = new PassThrough();
    const append = one.append(id, late, { offset: 0, maxBytes: MAX });
    late.write('late');
    await taken(late);
    await two.append(id, Buffer.from('kept'), { offset: 0, maxBytes: MAX });
    await two.commit(id, sha256('kept'));
    late.end();
    await append;
    await assert.rejects(one.commit(id, sha256('late')), { code: 'not_found' });
    assert.equal((await read(one, sha256('kept'))).toString(), 'kept');
    assert.deepEqual(await scrub(one), []);
  });

  it('finds and names a flipped byte, and a second push of the same bytes heals it', async () => {
    const { store, directory } = await fresh();
    const bytes = randomBytes(5000);
    const sound = await store.put(randomBytes(100), { maxBytes: MAX });
    const { digest } = await store.put(bytes, { maxBytes: MAX });
    const hex = digestHex(digest);
    const file = await open(join(directory, 'sha256', hex.slice(0, 2), hex), 'r+');
    await file.write(Buffer.from([bytes[4000]! ^ 1]), 0, 1, 4000);
    await file.close();
    assert.deepEqual(await scrub(store), [digest]);
    await assert.rejects(verifyBlob(store, digest), { code: 'tampered' });
    await verifyBlob(store, sound.digest);
    await store.put(bytes, { maxBytes: MAX });
    assert.deepEqual(await scrub(store), []);
  });

  it('sweeps what was left behind, and only that', async () => {
    const { store } = await fresh();
    const id = await store.createUpload();
    await store.append(id, Buffer.from('half'), { maxBytes: MAX });
    assert.equal(await store.sweep(Date.now() - 60_000), 0);
    assert.equal(await store.sweep(Date.now() + 60_000), 1);
    assert.equal(await store.uploadOffset(id), null);
  });
});

/** The real file system, where every opened file's `call` fails with `code`. */
function failing(call: 'writev' | 'datasync', code: string, when: () => boolean): typeof nodeFiles {
  return {
    ...nodeFiles,
    open: (async (...args: Parameters<typeof open>) => {
      const file = await open(...args);
      const real = file[call].bind(file) as (...inner: unknown[]) => Promise<unknown>;
      Object.assign(file, {
        [call]: async (...inner: unknown[]) => {
          if (when()) throw Object.assign(new Error(code), { code });
          return real(...inner);
        },
      });
      return file;
    }) as typeof open,
  };
}

describe('a commit', () => {
  it('syncs the bytes before they get their name, and the name before it is acknowledged', async () => {
    const calls: string[] = [];
    const traced: typeof nodeFiles = {
      ...nodeFiles,
      rename: (async (from: string, to: string) => {
        calls.push('rename');
        return nodeFiles.rename(from, to);
      }) as typeof nodeFiles.rename,
      open: (async (...args: Parameters<typeof open>) => {
        const file = await open(...args);
        for (const call of ['writev', 'datasync', 'sync'] as const) {
          const real = file[call].bind(file) as (...inner: unknown[]) => Promise<unknown>;
          const traceCall = async (...inner: unknown[]) => {
            const result = await real(...inner);
            calls.push(call);
            return result;
          };
          Object.assign(file, { [call]: traceCall });
        }
        return file;
      }) as typeof open,
    };
    const { store } = await fresh({ files: traced });
    await store.put(Readable.from([randomBytes(1_500_000), randomBytes(100)]), { maxBytes: MAX });
    calls.push('acknowledged');
    const order = ['writev', 'datasync', 'rename', 'sync', 'acknowledged'].map((call) =>
      calls.lastIndexOf(call),
    );
    assert.ok(!order.includes(-1), calls.join(' '));
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
      calls.join(' '),
    );
  });
});

describe('a disk that fails', () => {
  it('full while writing: disk_full, nothing left, and the store goes on when there is room', async () => {
    let full = true;
    const { store, directory } = await fresh({ files: failing('writev', 'ENOSPC', () => full) });
    const bytes = randomBytes(2_500_000);
    await assert.rejects(store.put(Readable.from([bytes]), { maxBytes: MAX }), { code: 'disk_full' });
    assert.deepEqual(await readdir(join(directory, 'uploads')), []);
    const id = await store.createUpload();
    await assert.rejects(store.append(id, bytes, { maxBytes: MAX }), { code: 'disk_full' });
    assert.equal(await store.uploadOffset(id), 0);
    full = false;
    await store.append(id, bytes, { offset: 0, maxBytes: MAX });
    await store.commit(id, sha256(bytes));
    await verifyBlob(store, sha256(bytes));
  });

  it('a failed fsync is never an acknowledgement and stops every later write', async () => {
    let broken = true;
    const { store, directory } = await fresh({ files: failing('datasync', 'EIO', () => broken) });
    await assert.rejects(store.put(Buffer.from('lost'), { maxBytes: MAX }), { code: 'internal' });
    assert.equal(await store.stat(sha256('lost')), null);
    assert.deepEqual(await readdir(join(directory, 'uploads')), []);
    broken = false;
    await assert.rejects(store.put(Buffer.from('more'), { maxBytes: MAX }), /stopped writing/);
  });
});
