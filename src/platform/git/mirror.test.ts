import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSlipwayError } from '../../kernel/errors.ts';
import { type Git, openGit, runGit } from './git.ts';
import { fetchMirror, mirrorOf } from './mirror.ts';
import { firstParents, listRefs, readFileAt, resolveCommit } from './objects.ts';
import { testRepository } from './testing.ts';

const home = mkdtempSync(join(tmpdir(), 'slipway-mirrors-'));
after(() => rmSync(home, { recursive: true, force: true }));
const git: Git = await openGit(home);

function failsWith(code: string, reason?: string) {
  return (error: unknown) => {
    assert.ok(isSlipwayError(error), String(error));
    assert.equal(error.code, code, error.message);
    if (reason) assert.equal(error.facts.reason, reason, error.message);
    assert.ok(error.hint, 'has a hint');
    return true;
  };
}

test('a mirror follows branches and tags, and keeps what vanished there', async () => {
  const repository = testRepository();
  const mirror = mirrorOf(git, 'follows');
  const first = repository.commit({ 'a.txt': 'one' });
  await fetchMirror(git, mirror, repository.url);
  assert.equal(await resolveCommit(git, mirror, 'main'), first);

  const second = repository.commit({ 'a.txt': 'two' });
  repository.git('tag', '-a', 'v1.0.0', '-m', 'first');
  await fetchMirror(git, mirror, repository.url);
  assert.equal(await resolveCommit(git, mirror, 'main'), second);
  assert.equal(await resolveCommit(git, mirror, 'v1.0.0'), second, 'an annotated tag leads to its commit');
  assert.equal(await resolveCommit(git, mirror, second.slice(0, 10)), second);
  assert.deepEqual(await listRefs(git, mirror, 'refs/tags/', 10), [
    { name: 'refs/tags/v1.0.0', sha: second },
  ]);
  assert.deepEqual(await firstParents(git, mirror, second, 10), [second, first]);

  repository.git('tag', '-d', 'v1.0.0');
  repository.git('reset', '--quiet', '--hard', first);
  const third = repository.commit({ 'a.txt': 'three' });
  await fetchMirror(git, mirror, repository.url);
  assert.equal(await resolveCommit(git, mirror, 'main'), third);
  assert.equal((await readFileAt(git, mirror, second, 'a.txt', 100))?.toString(), 'two');
  await assert.rejects(resolveCommit(git, mirror, 'v1.0.0'), failsWith('commit_not_found'));
  repository.remove();
});

test('nobody shadows a branch or a hash with a ref of its name', async () => {
  const repository = testRepository();
  const first = repository.commit({ a: '1' });
  const second = repository.commit({ a: '2' });
  repository.git('update-ref', 'refs/heads/refs/heads/main', first);
  repository.git('update-ref', 'refs/tags/main', first);
  repository.git('update-ref', 'refs/tags/refs/heads/main', first);
  repository.git('update-ref', `refs/heads/${second}`, first);
  const mirror = mirrorOf(git, 'shadows');
  await fetchMirror(git, mirror, repository.url);
  for (const ref of ['refs/heads/main', 'main', second])
    assert.equal(await resolveCommit(git, mirror, ref), second);
  repository.remove();
});

test('a path without a scheme is a repository too, and a missing branch names those there are', async () => {
  const repository = testRepository('trunk');
  repository.commit({ a: '1' });
  const mirror = mirrorOf(git, 'plain-path');
  await fetchMirror(git, mirror, repository.directory);
  await assert.rejects(resolveCommit(git, mirror, 'main'), (error) => {
    failsWith('commit_not_found')(error);
    return /trunk/.test((error as { hint: string }).hint);
  });
  repository.remove();
});

test('an empty repository says so', async () => {
  const repository = testRepository();
  const mirror = mirrorOf(git, 'empty');
  await fetchMirror(git, mirror, repository.url);
  await assert.rejects(resolveCommit(git, mirror, 'main'), (error) =>
    /empty/.test((error as { hint: string }).hint),
  );
  repository.remove();
});

test('every way a fetch fails has its reason', async () => {
  const missing = join(home, 'nothing-here');
  await assert.rejects(
    fetchMirror(git, mirrorOf(git, 'x1'), missing),
    failsWith('source_unreachable', 'missing'),
  );

  let status = 401;
  const server = createServer((_, response) => {
    if (status === 302) response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    else response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="git"' } : {}).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/a.git`;
  await assert.rejects(
    fetchMirror(git, mirrorOf(git, 'x2'), url),
    failsWith('source_unreachable', 'authentication'),
  );
  status = 404;
  await assert.rejects(
    fetchMirror(git, mirrorOf(git, 'x2'), url),
    failsWith('source_unreachable', 'missing'),
  );
  status = 302;
  await assert.rejects(fetchMirror(git, mirrorOf(git, 'x2'), url), failsWith('source_unreachable'));
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(
    fetchMirror(git, mirrorOf(git, 'x2'), url),
    failsWith('source_unreachable', 'network'),
  );
});

test('a server that never answers is given up at the deadline, with its children', async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const started = Date.now();
  await assert.rejects(
    fetchMirror(git, mirrorOf(git, 'x3'), `http://127.0.0.1:${port}/a.git`, { timeoutMs: 500 }),
    failsWith('source_unreachable', 'timeout'),
  );
  assert.ok(Date.now() - started < 5000);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('addresses that could run something or leak something are refused', async () => {
  const bad = [
    '',
    '--upload-pack=touch /tmp/owned',
    'ext::sh -c whoami',
    'fd::17',
    'git://host/x',
    'ftp://host/x',
    'ssh://-oProxyCommand=touch/x',
    '-oProxyCommand=x:y',
    'https://user:secret@host/x.git',
    'https://token@host/x.git',
    'ssh://git:secret@host/x.git',
    'ssh://-x@host/x.git',
    'file://host/x',
    'relative/path',
    'https://host/x\n.git',
    'https://host/x?y',
    `https://host/${'a'.repeat(3000)}`,
  ];
  for (const url of bad) {
    await assert.rejects(fetchMirror(git, mirrorOf(git, 'x4'), url), (error) => {
      assert.ok(isSlipwayError(error));
      assert.equal(error.code, 'invalid_input', url);
      assert.ok(!error.message.includes('secret'));
      return true;
    });
  }
  for (const ref of ['-x', '--all', 'a..b', 'a b', 'HEAD@{1}', 'a^', '../x', 'x.lock', '']) {
    await assert.rejects(resolveCommit(git, mirrorOf(git, 'x4'), ref), failsWithoutHint('invalid_input'));
  }
});

function failsWithoutHint(code: string) {
  return (error: unknown) => isSlipwayError(error) && error.code === code;
}

test('fetches of one mirror from many sides end well', async () => {
  const repository = testRepository();
  repository.commit({ a: '1' });
  const mirror = mirrorOf(git, 'crowd');
  const head = repository.commit({ a: '2' });
  // The second handle stands for another process: it shares no queue with the first.
  const rounds = Array.from({ length: 4 }, (_, i) =>
    fetchMirror(git, i % 2 ? mirror : { directory: `${home}/./crowd.git` }, repository.url),
  );
  await Promise.all(rounds);
  assert.equal(await resolveCommit(git, mirror, 'main'), head);
  repository.remove();
});

test('locks of a killed process and a damaged mirror heal', async () => {
  const repository = testRepository();
  repository.commit({ a: '1' });
  const mirror = mirrorOf(git, 'heals');
  await fetchMirror(git, mirror, repository.url);
  const second = repository.commit({ a: '2' });
  const lock = join(mirror.directory, 'refs', 'heads', 'main.lock');
  writeFileSync(lock, '');
  const old = new Date(Date.now() - 3_600_000);
  utimesSync(lock, old, old);
  await fetchMirror(git, mirror, repository.url);
  assert.equal(await resolveCommit(git, mirror, 'main'), second);

  // Above fetch.unpackLimit, so that a pack is kept.
  repository.commit(Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`f${i}`, `${i}`.repeat(i)])));
  await fetchMirror(git, mirror, repository.url);
  const pack = readdirSync(join(mirror.directory, 'objects/pack')).find((name) => name.endsWith('.pack'));
  const path = join(mirror.directory, 'objects/pack', pack ?? '');
  chmodSync(path, 0o600);
  truncateSync(path, 200);
  const third = repository.commit({ a: '3' });
  await fetchMirror(git, mirror, repository.url);
  assert.equal(await resolveCommit(git, mirror, 'main'), third);
  assert.equal((await readFileAt(git, mirror, third, 'a', 10))?.toString(), '3');

  for (const file of ['HEAD', 'config', 'refs/heads/main', 'packed-refs']) {
    for (const content of ['', 'garbage\n\0[']) {
      writeFileSync(join(mirror.directory, file), content);
      await fetchMirror(git, mirror, repository.url);
      assert.equal(await resolveCommit(git, mirror, 'main'), third, `${file} of ${content.length} bytes`);
    }
  }
  repository.remove();
});

test('files are read within bounds, and only regular ones', async () => {
  const repository = testRepository();
  repository.git('config', 'core.symlinks', 'true');
  const sha = repository.commit({ 'dir/f.txt': 'hello', 'we ird\n.txt': 'x', '*.txt': 'star' });
  const mirror = mirrorOf(git, 'reads');
  await fetchMirror(git, mirror, repository.url);
  assert.equal((await readFileAt(git, mirror, sha, 'dir/f.txt', 5))?.toString(), 'hello');
  assert.equal(
    (await readFileAt(git, mirror, sha, '*.txt', 5))?.toString(),
    'star',
    'a path is not a pattern',
  );
  assert.equal(await readFileAt(git, mirror, sha, 'none.txt', 5), null);
  await assert.rejects(readFileAt(git, mirror, sha, 'dir/f.txt', 4), failsWithoutHint('payload_too_large'));
  await assert.rejects(readFileAt(git, mirror, sha, 'dir', 4), failsWithoutHint('invalid_input'));
  await assert.rejects(readFileAt(git, mirror, 'f'.repeat(40), 'a', 4), failsWith('commit_not_found'));
  await assert.rejects(readFileAt(git, mirror, '--output=x', 'a', 4), failsWithoutHint('invalid_input'));
  await assert.rejects(firstParents(git, mirror, 'f'.repeat(40), 4), failsWith('commit_not_found'));
  repository.remove();
});

test('output has a bound and a deadline', async () => {
  await assert.rejects(runGit(git, ['help', '-a'], { maxBytes: 10 }), failsWithoutHint('payload_too_large'));
  await assert.rejects(
    runGit(git, ['cat-file', '--batch'], { signal: AbortSignal.abort() }),
    failsWithoutHint('cancelled'),
  );
});
