import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../src/cli/catalogue/all.ts';
import { planCompletion } from '../../src/cli/completion/plan.ts';
import { SCRIPTS } from '../../src/cli/completion/scripts.ts';
import { runCli } from '../../src/cli/main.ts';
import { fakeServer, sendJson } from './fake-server.ts';
import { createIo } from './io.ts';
import { fakeLocal } from './local.ts';

const words = (...typed: string[]) => {
  const wanted = planCompletion(COMMANDS, typed);
  return wanted.kind === 'words' ? wanted.words.map(([word]) => word) : wanted;
};

test('commands, their second words, and options', () => {
  assert.deepEqual(words('pro'), ['promote']);
  assert.ok((words('') as string[]).includes('rollout'));
  assert.deepEqual(words('rollout', 'p'), ['pause']);
  assert.deepEqual(words('ledger', ''), ['verify', 'log', 'show', 'checkpoint']);
  assert.deepEqual(words('rollback', 'shop', 'prod', '--d'), ['--dry-run', '--data']);
  assert.deepEqual(words('nonsense', ''), []);
});

test('names, wherever they stand', () => {
  const names = (of: string, args: string[] = [], partial = '', prefix = '') => ({
    kind: 'names',
    of,
    args,
    partial,
    prefix,
  });
  assert.deepEqual(words('promote', ''), names('service'));
  assert.deepEqual(words('promote', 'shop', 'pr'), names('environment', ['shop'], 'pr'));
  assert.deepEqual(words('promote', 'shop', 'prod', '--release', ''), names('release', ['shop', 'prod']));
  assert.deepEqual(
    words('rollback', '--reason', 'x', 'shop', 'prod', '--confirm=p'),
    names('environment', ['shop', 'prod'], 'p', '--confirm='),
  );
  assert.deepEqual(words('rollout', 'watch', 'shop/'), names('lane-or-rollout', [], 'shop/'));
  assert.deepEqual(words('status', 'shop', ''), { kind: 'nothing' });
  assert.deepEqual(words('promote', 'shop', 'prod', '--reason', ''), { kind: 'nothing' });
  assert.deepEqual(words('completion', 'z'), names('shell', [], 'z'));
});

async function complete(url: string, ...typed: string[]) {
  const io = createIo({ env: { SLIPWAY_URL: url } });
  const started = performance.now();
  assert.equal(await runCli(['__complete', ...typed], fakeLocal(null), io), 0);
  return { out: io.out(), err: io.err(), tookMs: performance.now() - started };
}

test('live names from the server, filtered, each with words about it', async () => {
  const server = await fakeServer((_, response) =>
    sendJson(response, {
      services: [
        { name: 'shop', branch: 'main' },
        { name: 'cart', branch: 'x\u001b[2J' },
      ],
    }),
  );
  assert.equal((await complete(server.url, 'status', '')).out, 'shop\tmain\ncart\tx\n');
  assert.equal((await complete(server.url, 'status', 'sh')).out, 'shop\tmain\n');
  await server.stop();
});

test('a server that is away, slow or strange: nothing, quietly, in time', async () => {
  const slow = await fakeServer(() => {});
  const strange = await fakeServer((_, response) => response.end('<html>'));
  for (const url of [slow.url, strange.url, 'http://127.0.0.1:3', 'nonsense']) {
    const { out, err, tookMs } = await complete(url, 'status', '');
    assert.equal(out + err, '', url);
    assert.ok(tookMs < 200, `${url} took ${tookMs} ms`);
  }
  await slow.stop();
  await strange.stop();
});

test('files and folders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-complete-'));
  await mkdir(join(folder, 'platform'));
  await writeFile(join(folder, 'platform', 'a.yaml'), '');
  await writeFile(join(folder, 'plain'), '');
  const io = createIo({ cwd: folder });
  await runCli(['__complete', 'platform', 'apply', 'pl'], fakeLocal(null), io);
  assert.deepEqual(io.out().split('\n').filter(Boolean).sort(), ['plain\t', 'platform/\t']);
  const inside = createIo({ cwd: folder });
  await runCli(['__complete', 'platform', 'apply', 'platform/'], fakeLocal(null), inside);
  assert.equal(inside.out(), 'platform/a.yaml\t\n');
  await rm(folder, { recursive: true });
});

/** bash with a `slipway` that answers with what it was asked. */
function inBash(line: string): string[] {
  const script = `slipway() { shift; local last="\${@: -1}"; printf '%s\\t%s\\n' "\${last}one" about "\${last}two" ''; }
${SCRIPTS.bash}
COMP_LINE=${JSON.stringify(line)}; COMP_POINT=\${#COMP_LINE}
_slipway
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const result = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim().split('\n');
}

test('the script of bash: words as they are, parts after ":" and "=" as bash wants them', () => {
  assert.deepEqual(
    inBash('slipway sta'),
    ['staone', 'statwo'].map((word) => word.replace('stat', 'sta t').replace(' ', '')),
  );
  assert.deepEqual(inBash('slipway status '), ['one', 'two']);
  assert.deepEqual(inBash('slipway rollback shop prod --confirm=pr'), ['prone', 'prtwo']);
  assert.deepEqual(inBash('slipway verify sha256:ab'), ['abone', 'abtwo']);
});
