import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { EXPORT_LIMITS, exportTree } from './export.ts';
import { openGit } from './git.ts';
import { fetchMirror, mirrorOf } from './mirror.ts';
import { type TestRepository, testRepository } from './testing.ts';
import { checkTree, parseTree } from './tree.ts';

const home = mkdtempSync(join(tmpdir(), 'slipway-export-'));
after(() => rmSync(home, { recursive: true, force: true }));
const git = await openGit(join(home, 'mirrors'));
let n = 0;

async function mirrorFor(repository: TestRepository) {
  const mirror = mirrorOf(git, `m${++n}`);
  await fetchMirror(git, mirror, repository.url);
  return mirror;
}

test('an export is the exact bytes, modes and links of the commit, without .git and filters', async () => {
  const repository = testRepository();
  const big = Buffer.alloc(3_000_000, 'x\0\r\n');
  repository.commit({
    '.gitattributes': '* text=auto eol=crlf export-subst\nhidden.txt export-ignore\n',
    'hidden.txt': 'not hidden $Format:%H$\n',
    'src/deep/er/a.js': 'a\nb\n',
    'bin/run': '#!/bin/sh\n',
    empty: '',
    'grüße.txt': 'ü',
    'big.bin': big,
  });
  chmodSync(join(repository.directory, 'bin/run'), 0o755);
  symlinkSync('../src/deep', join(repository.directory, 'bin/link'));
  symlinkSync('missing', join(repository.directory, 'dangling'));
  const sha = repository.commit({});
  const target = join(home, 'out');
  const result = await exportTree(git, await mirrorFor(repository), sha, target);
  assert.equal(result.files, 9);
  assert.equal(readFileSync(join(target, 'hidden.txt'), 'utf8'), 'not hidden $Format:%H$\n');
  assert.equal(readFileSync(join(target, 'src/deep/er/a.js'), 'utf8'), 'a\nb\n');
  assert.ok(
    readFileSync(join(target, 'big.bin')).equals(readFileSync(join(repository.directory, 'big.bin'))),
  );
  assert.equal(readFileSync(join(target, 'empty')).length, 0);
  assert.equal(lstatSync(join(target, 'bin/run')).mode & 0o777, 0o755);
  assert.equal(lstatSync(join(target, 'empty')).mode & 0o777, 0o644);
  assert.equal(readlinkSync(join(target, 'bin/link')), '../src/deep');
  assert.ok(!existsSync(join(target, '.git')));
  await assert.rejects(exportTree(git, mirrorOf(git, `m${n}`), sha, target), { code: 'invalid_state' });
  await assert.rejects(exportTree(git, mirrorOf(git, `m${n}`), 'c'.repeat(40), join(home, 'no')), {
    code: 'commit_not_found',
  });
  repository.remove();
});

test('links that leave the tree are refused before anything is linked', async () => {
  const cases: Record<string, string>[] = [
    { evil: '/etc/passwd' },
    { evil: '../outside' },
    { 'a/b/evil': '../../../outside' },
    // Inside by its letters, outside when followed.
    { 'a/b/c/up': '../../..', evil: 'a/b/c/up/../../etc' },
    { a: 'b', b: 'a' },
  ];
  for (const links of cases) {
    const repository = testRepository();
    repository.commit({ 'a.txt': 'x', ...Object.fromEntries(Object.keys(links).map((path) => [path, ''])) });
    for (const [path, target] of Object.entries(links)) {
      rmSync(join(repository.directory, path));
      symlinkSync(target, join(repository.directory, path));
    }
    const sha = repository.commit({});
    const out = join(home, `links-${++n}`);
    await assert.rejects(exportTree(git, await mirrorFor(repository), sha, out), { code: 'invalid_input' });
    const found = readdirSync(out, { recursive: true, withFileTypes: true });
    assert.ok(found.every((entry) => !entry.isSymbolicLink()));
    repository.remove();
  }
});

test('a submodule is an empty folder, bounds hold', async () => {
  const repository = testRepository();
  repository.commit({ 'a.txt': '12345' });
  repository.git('update-index', '--add', '--cacheinfo', `160000,${'d'.repeat(40)},vendor/lib`);
  repository.git('commit', '--quiet', '-m', 'submodule');
  const sha = repository.git('rev-parse', 'HEAD');
  const mirror = await mirrorFor(repository);
  const out = join(home, 'submodule');
  await exportTree(git, mirror, sha, out);
  assert.deepEqual(readdirSync(join(out, 'vendor/lib')), []);
  for (const limits of [{ maxFiles: 1 }, { maxFileBytes: 4 }, { maxTotalBytes: 4 }]) {
    const target = join(home, `bound-${++n}`);
    await assert.rejects(exportTree(git, mirror, sha, target, { ...EXPORT_LIMITS, ...limits }), {
      code: 'payload_too_large',
    });
    assert.ok(!existsSync(target), 'nothing was written');
  }
  repository.remove();
});

test('hostile trees made by hand do not even get into a mirror', async () => {
  for (const name of ['..', '.git', '.GIT', 'a/../../b']) {
    const repository = testRepository();
    repository.commit({ 'a.txt': 'x' });
    const blob = repository.git('rev-parse', 'HEAD:a.txt');
    const entry = Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.from(blob, 'hex')]);
    const made = spawnSync('git', ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], {
      cwd: repository.directory,
      input: entry,
      encoding: 'utf8',
    });
    const commit = repository.git('commit-tree', made.stdout.trim(), '-m', 'evil');
    repository.git('update-ref', 'refs/heads/main', commit);
    await assert.rejects(
      mirrorFor(repository),
      { code: 'source_unreachable' },
      `fsck on the way in: ${name}`,
    );
    repository.remove();
  }
});

test('law: no listing of paths that could escape passes the check', () => {
  const part = fc.constantFrom('a', '..', '.', '', '.git', 'b', '.GIT', 'c\\d');
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const path = parts.join('/');
      const listing = Buffer.from(`100644 blob ${'a'.repeat(40)}       1\t${path}\0`);
      const safe = parts.every((one) => ['a', 'b'].includes(one));
      const check = () => checkTree(parseTree(listing), EXPORT_LIMITS);
      if (safe) check();
      else assert.throws(check, { code: 'invalid_input' });
    }),
  );
});
