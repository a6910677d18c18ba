import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parseCommit, readCommit, signatureOf } from './commit.ts';
import { openGit } from './git.ts';
import { fetchMirror, mirrorOf } from './mirror.ts';
import { testRepository } from './testing.ts';

const home = mkdtempSync(join(tmpdir(), 'slipway-commits-'));
after(() => rmSync(home, { recursive: true, force: true }));

test('a commit says who, when, what, and from where', async () => {
  const git = await openGit(join(home, 'plain'));
  const repository = testRepository();
  const first = repository.commit({ a: '1' }, 'First: größer\n\nBody line\u001b[31m red');
  repository.git('checkout', '--quiet', '-b', 'side');
  const side = repository.commit({ b: '1' }, 'side');
  repository.git('checkout', '--quiet', 'main');
  const second = repository.commit({ c: '1' }, 'second');
  repository.git('merge', '--quiet', '--no-ff', '-m', 'merge', 'side');
  const merge = repository.git('rev-parse', 'HEAD');
  const mirror = mirrorOf(git, 'commits');
  await fetchMirror(git, mirror, repository.url);
  assert.deepEqual(await readCommit(git, mirror, first), {
    sha: first,
    parents: [],
    author: 'Ada Lovelace',
    authorEmail: 'ada@example.org',
    committer: 'Grace Hopper',
    committedAtMs: 1_700_000_060_000,
    message: 'First: größer\n\nBody line[31m red',
    signature: 'none',
  });
  assert.deepEqual((await readCommit(git, mirror, merge)).parents, [second, side]);
  await assert.rejects(readCommit(git, mirror, 'a'.repeat(40)), { code: 'commit_not_found' });
  repository.remove();
});

test('SSH signatures: none, good by an accepted key, unknown key, bad', async () => {
  const key = join(home, 'key');
  const stranger = join(home, 'stranger');
  for (const path of [key, stranger]) {
    assert.equal(spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]).status, 0);
  }
  const repository = testRepository();
  repository.git('config', 'gpg.format', 'ssh');
  const unsigned = repository.commit({ a: '0' });
  const sign = (path: string) => {
    repository.git('config', 'user.signingkey', `${path}.pub`);
    repository.git('commit', '--quiet', '--allow-empty', '-S', '-m', 'signed');
    return repository.git('rev-parse', 'HEAD');
  };
  const good = sign(key);
  const unknown = sign(stranger);
  const raw = repository.git('cat-file', 'commit', good).replace(/\n\nsigned/, '\n\nforged\n');
  writeFileSync(join(home, 'forged'), raw);
  const bad = repository.git('hash-object', '-t', 'commit', '-w', join(home, 'forged'));
  repository.git('update-ref', 'refs/heads/forged', bad);

  const signers = join(home, 'allowed_signers');
  writeFileSync(signers, `grace@example.org ${readFileSync(`${key}.pub`, 'utf8')}`);
  const judging = await openGit(join(home, 'judging'), { allowedSignersFile: signers });
  const mirror = mirrorOf(judging, 'signed');
  await fetchMirror(judging, mirror, repository.url);
  const states = await Promise.all(
    [unsigned, good, unknown, bad].map(async (sha) => (await readCommit(judging, mirror, sha)).signature),
  );
  assert.deepEqual(states, ['none', 'good', 'unknown-key', 'bad']);

  const trusting = await openGit(join(home, 'trusting'));
  const other = mirrorOf(trusting, 'signed');
  await fetchMirror(trusting, other, repository.url);
  assert.equal(
    (await readCommit(trusting, other, good)).signature,
    'unknown-key',
    'nobody was named as signer',
  );
  repository.remove();
});

test('letters of %G? never read as better than they are', () => {
  for (const letter of ['B', 'R']) assert.equal(signatureOf(letter, 'openpgp'), 'bad');
  for (const letter of ['E', 'X', 'Y', 'N', '', 'Z'])
    assert.equal(signatureOf(letter, 'openpgp'), 'unknown-key');
  assert.equal(signatureOf('U', 'ssh'), 'unknown-key');
  assert.equal(signatureOf('U', 'openpgp'), 'good');
});

test('law: any bytes parse to a bounded, printable commit', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom('', 'author ', 'gpgsig x\n y\n', 'encoding nope\n'),
      (bytes, head) => {
        const commit = parseCommit('0'.repeat(40), Buffer.concat([Buffer.from(head), bytes]));
        const text = commit.author + commit.authorEmail + commit.committer + commit.message;
        assert.ok(text.isWellFormed() && !/[^\P{Cc}\n\t]/u.test(text));
        assert.ok(Number.isFinite(new Date(commit.committedAtMs).getTime()));
      },
    ),
  );
});
