import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { processesIn } from '../../platform/process/tree.ts';
import { runBuild } from './apply.ts';
import { IMAGE, STEP, type Workshop, workshop } from './build.testing.ts';
import { readBuild, readSteps, requestCancel } from './store.ts';

let shop: Workshop;

before(async () => {
  shop = await workshop();
});
after(() => shop.close());

const SERVER = { 'server.js': 'console.log("hello")\n', 'src/a.js': 'export const a = 1;\n' };

async function steps(id: string): Promise<Record<string, string>> {
  const rows = await readSteps(shop.deps.database, id);
  return Object.fromEntries(rows.map(({ name, status }) => [name, status]));
}

test('a commit becomes an image with everything on record', async () => {
  const commit = await shop.commit(SERVER, {
    steps: [
      { ...STEP, name: 'compile', run: 'mkdir dist; cp src/a.js dist/; echo compiled', outputs: ['dist'] },
      {
        ...STEP,
        name: 'test',
        needs: ['compile'],
        run: 'test -f dist/a.js; printf "ok 1 - a\\nok 2 - b # SKIP\\n1..2\\n" > r.tap',
        report: { format: 'tap', path: 'r.tap' },
      },
    ],
    image: {
      ...IMAGE,
      layers: [{ name: 'app', from: ['server.js', 'dist'], to: '/srv', exclude: [] }],
      ports: [8080],
    },
  });
  const outcome = await shop.build(commit);
  assert.equal(outcome.error, null);
  assert.equal(outcome.status, 'succeeded');
  assert.equal(outcome.sandbox.kind, 'bubblewrap');
  assert.deepEqual(outcome.testReports, [
    { step: 'test', format: 'tap', passed: 1, failed: 0, skipped: 1, failedNames: [] },
  ]);
  assert.equal(shop.registry.tags.get(commit.slice(0, 12)), outcome.digest);
  assert.deepEqual(await steps(outcome.buildId), { compile: 'succeeded', test: 'succeeded' });
  assert.match(await shop.logOf(outcome.buildId, 'compile'), /compiled/);
  const row = await readBuild(shop.deps.database, outcome.buildId);
  assert.equal(row?.status, 'succeeded');
  assert.equal(row?.digest, outcome.digest);
  assert.equal(row?.inputs_digest, outcome.inputsDigest);
  assert.deepEqual(row?.report?.image, outcome.image);
  const ledger = shop.entries.filter(({ subject }) => subject === outcome.buildId);
  assert.deepEqual(
    ledger.map(({ kind }) => kind),
    ['build.started', 'build.finished'],
  );
  assert.equal(ledger[1]?.data.digest, outcome.digest);
  assert.deepEqual(await readdir(join(shop.data, 'work')), []);

  const layer = zstdDecompressSync(
    await readFile(join(shop.registry.directory, outcome.image?.layers[0]?.digest.replace(':', '-') ?? '')),
  );
  const listing = execFileSync('tar', ['-tv', '--full-time', '--utc', '-f', '-'], {
    input: layer,
    encoding: 'utf8',
  });
  assert.match(listing, /^drwxr-xr-x root\/root|^drwxr-xr-x 0\/0/m);
  assert.match(listing, /srv\/dist\/a\.js/);
  const epoch = new Date(Number(shop.repository.git('log', '-1', '--format=%ct')) * 1000)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ');
  assert.ok(
    listing
      .split('\n')
      .filter(Boolean)
      .every((line) => line.includes(epoch)),
    listing,
  );
});

test('the same commit again comes from the cache, to the same digest', async () => {
  const commit = await shop.commit(
    { ...SERVER, 'src/b.js': 'b' },
    {
      steps: [{ ...STEP, run: 'date +%N > out', outputs: ['out'] }],
    },
  );
  const first = await shop.build(commit);
  const second = await shop.build(commit);
  assert.equal(second.digest, first.digest);
  assert.equal(second.cacheHits, 1);
  assert.equal(second.steps[0]?.cachedFrom, first.buildId);
  assert.ok(second.image?.layers.every(({ cached }) => cached));
  assert.match(await shop.logOf(second.buildId, 'build'), /taken from the cache: ran in build bld_/);
});

test('a step with inputs keeps its outputs, and its layer the digest, over commits that leave those alone', async () => {
  const lock = JSON.stringify({ name: 'x', lockfileVersion: 3, packages: { '': {} } });
  const build = {
    steps: [
      {
        ...STEP,
        name: 'deps',
        run: 'mkdir node_modules; date +%N > node_modules/now; ls > node_modules/seen',
        inputs: ['package.json', 'package-lock.json'],
        outputs: ['node_modules'],
      },
    ],
    image: {
      ...IMAGE,
      layers: [
        { name: 'deps', from: ['node_modules'], to: '/app', exclude: [] },
        { name: 'app', from: ['server.js'], to: '/app', exclude: [] },
      ],
    },
  };
  const one = await shop.build(
    await shop.commit({ ...SERVER, 'package.json': '{}', 'package-lock.json': lock }, build),
  );
  const two = await shop.build(await shop.commit({ 'server.js': 'changed\n' }, build));
  assert.equal(one.error, null);
  assert.equal(two.cacheHits, 1);
  assert.equal(two.image?.layers[0]?.digest, one.image?.layers[0]?.digest);
  assert.equal(two.image?.layers[0]?.cached, true);
  assert.notEqual(two.image?.layers[1]?.digest, one.image?.layers[1]?.digest);
  // What is not among the inputs is not there to be read.
  const layer = zstdDecompressSync(
    await readFile(join(shop.registry.directory, one.image?.layers[0]?.digest.replace(':', '-') ?? '')),
  );
  assert.match(layer.toString('latin1'), /node_modules\npackage-lock.json\npackage.json\n/);
  await shop.commit({ 'package.json': null, 'package-lock.json': null }, build);
});

test('a poisoned, truncated or exchanged cache entry is never used', async () => {
  const commit = await shop.commit(
    { 'server.js': 'poison me\n' },
    {
      steps: [{ ...STEP, run: 'echo pure > out', outputs: ['out'] }],
    },
  );
  const first = await shop.build(commit);
  const cache = join(shop.data, 'cache', 'build');
  const key = first.steps[0]?.cacheKey?.slice(7) ?? '';
  const index = join(cache, 'steps', `${key}.json`);
  const sound = await readFile(index, 'utf8');
  const { body, mac } = JSON.parse(sound) as { body: string; mac: string };
  const archive = join(cache, 'blobs', /"archive":\{"digest":"sha256:([0-9a-f]+)/.exec(body)?.[1] ?? '');
  const bytes = await readFile(archive);
  const flipped = Buffer.from(bytes);
  flipped[20] = (flipped[20] ?? 0) ^ 1;
  const attacks: [string, () => Promise<void>][] = [
    ['a flipped byte', () => writeFile(archive, flipped)],
    ['a truncated archive', () => writeFile(archive, bytes.subarray(0, 30))],
    ['an empty archive', () => writeFile(archive, '')],
    ['an index of a stranger', () => writeFile(index, JSON.stringify({ body, mac: '0'.repeat(64) }))],
    [
      'a changed index',
      () => writeFile(index, JSON.stringify({ body: body.replace('"size":', '"size":1'), mac })),
    ],
    ['no JSON', () => writeFile(index, sound.slice(0, 40))],
  ];
  for (const [name, attack] of attacks) {
    await attack();
    const again = await shop.build(commit);
    assert.equal(again.error, null, name);
    assert.equal(again.cacheHits, 0, name);
    assert.equal(again.digest, first.digest, name);
    assert.match(await shop.logOf(again.buildId, 'build'), /the cache entry .*; it was removed/, name);
    assert.equal((await shop.build(commit)).cacheHits, 1, `${name}: mended`);
  }
  const other = await shop.build(
    await shop.commit(
      { 'server.js': 'another\n' },
      { steps: [{ ...STEP, run: 'echo other > out', outputs: ['out'] }] },
    ),
  );
  await writeFile(
    index,
    await readFile(join(cache, 'steps', `${other.steps[0]?.cacheKey?.slice(7)}.json`), 'utf8'),
  );
  assert.equal((await shop.build(commit)).cacheHits, 0, 'the entry of another key');
});

test('a failing step is named with its last output; what needs it is skipped, the rest runs', async () => {
  const commit = await shop.commit(SERVER, {
    steps: [
      { ...STEP, name: 'broken', run: 'echo about to fail; echo correct-horse-battery; exit 3' },
      { ...STEP, name: 'after', needs: ['broken'] },
      { ...STEP, name: 'far-after', needs: ['after'] },
      { ...STEP, name: 'apart' },
    ],
  });
  const outcome = await shop.build(commit);
  assert.equal(outcome.status, 'failed');
  assert.equal(outcome.error?.code, 'step_failed');
  assert.match(
    outcome.error?.message ?? '',
    /step broken failed with exit code 3; its last output: .*about to fail/,
  );
  assert.ok(!JSON.stringify(outcome).includes('correct-horse-battery'));
  assert.match(await shop.logOf(outcome.buildId, 'broken'), /about to fail\n\*\*\*\n/);
  assert.deepEqual(await steps(outcome.buildId), {
    broken: 'failed',
    after: 'skipped',
    'far-after': 'skipped',
    apart: 'succeeded',
  });
  assert.equal(outcome.digest, null);
  assert.equal(shop.registry.tags.has(commit.slice(0, 12)), false);
});

test('retries are bounded and a later attempt may succeed', async () => {
  const commit = await shop.commit(SERVER, {
    steps: [
      {
        ...STEP,
        name: 'flaky',
        run: '[ -e /build/cache/npm/was-here ] || { touch /build/cache/npm/was-here; exit 1; }',
        network: true,
        retries: 2,
      },
      { ...STEP, name: 'never', run: 'echo try; exit 1', retries: 1 },
    ],
  });
  const { buildId } = await shop.build(commit);
  assert.deepEqual(await steps(buildId), { flaky: 'succeeded', never: 'failed' });
  assert.equal((await shop.logOf(buildId, 'never')).match(/^try$/gm)?.length, 2);
});

test('a step that takes too long is stopped and said so', async () => {
  const commit = await shop.commit(SERVER, { steps: [{ ...STEP, run: 'sleep 60', timeoutS: 1 }] });
  const outcome = await shop.build(commit);
  assert.match(outcome.error?.message ?? '', /did not end within 1 s/);
  assert.deepEqual(await steps(outcome.buildId), { build: 'timed-out' });
});

test('cancelling stops running steps, leaves no process, and is terminal', async () => {
  const commit = await shop.commit(SERVER, {
    steps: [
      { ...STEP, run: 'echo started; sleep 100 & sleep 100' },
      { ...STEP, name: 'later', needs: ['build'] },
    ],
  });
  const id = await shop.create(commit);
  const running = runBuild(shop.deps, id, new AbortController().signal);
  const deadline = Date.now() + 10_000;
  while (!(await shop.logOf(id, 'build')).includes('started')) {
    assert.ok(Date.now() < deadline, 'the step did not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(processesIn(join(shop.data, 'work')).length > 0);
  await requestCancel(shop.deps.database, id, 'token:ada');
  const outcome = await running;
  assert.equal(outcome.status, 'cancelled');
  assert.match(outcome.error?.message ?? '', /cancelled by token:ada/);
  assert.deepEqual(await steps(id), { build: 'cancelled', later: 'cancelled' });
  assert.deepEqual(processesIn(join(shop.data, 'work')), []);
  assert.equal(shop.entries.at(-1)?.actor, 'token:ada');
  const again = await runBuild(shop.deps, id, new AbortController().signal);
  assert.equal(again.status, 'cancelled');
  assert.equal(shop.entries.filter(({ subject }) => subject === id).length, 2);
});

test('a build interrupted by the end of its worker goes on under the same id, from the cache', async () => {
  const commit = await shop.commit(
    { 'server.js': 'resume\n' },
    {
      steps: [
        { ...STEP, name: 'first', run: 'date +%N > one', outputs: ['one'] },
        {
          ...STEP,
          name: 'second',
          needs: ['first'],
          run: '[ -e /build/cache/npm/go ] || { echo waiting; touch /build/cache/npm/go; sleep 100; }',
          network: true,
        },
      ],
    },
  );
  const id = await shop.create(commit);
  const stop = new AbortController();
  const running = runBuild(shop.deps, id, stop.signal);
  const deadline = Date.now() + 10_000;
  while (!(await shop.logOf(id, 'second')).includes('waiting')) {
    assert.ok(Date.now() < deadline, 'the second step did not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop.abort();
  await assert.rejects(running, /cancelled/);
  assert.equal((await readBuild(shop.deps.database, id))?.status, 'running');
  await mkdir(join(shop.data, 'work', id, 'leftover'), { recursive: true });
  const outcome = await runBuild(shop.deps, id, new AbortController().signal);
  assert.equal(outcome.error, null);
  assert.equal(outcome.cacheHits, 1);
  assert.equal(shop.entries.filter(({ subject }) => subject === id).length, 2);
  assert.ok(!existsSync(join(shop.data, 'work', id)));
});

test('two workers never run the same build', async () => {
  const commit = await shop.commit(SERVER, { steps: [{ ...STEP, run: 'sleep 0.5' }] });
  const id = await shop.create(commit);
  const run = () => runBuild(shop.deps, id, new AbortController().signal);
  const results = await Promise.allSettled([run(), run()]);
  const refused = results.flatMap((result) => (result.status === 'rejected' ? result.reason : []));
  assert.equal(refused.length, 1);
  assert.equal(refused[0].code, 'conflict');
  assert.match(refused[0].message, /another worker runs build/);
});

test('dependencies without a fitting lockfile are refused with the way out', async () => {
  const manifest = JSON.stringify({ name: 'x', dependencies: { leftpad: '^1.0.0' } });
  const missing = await shop.build(await shop.commit({ ...SERVER, 'package.json': manifest }));
  assert.equal(missing.error?.code, 'lockfile_broken');
  assert.match(missing.error?.hint ?? '', /npm install/);
  const lock = { lockfileVersion: 3, packages: { '': { dependencies: { leftpad: '^0.9.0' } } } };
  const outdated = await shop.build(await shop.commit({ 'package-lock.json': JSON.stringify(lock) }));
  assert.match(outdated.error?.message ?? '', /leftpad has another version in package-lock.json/);
  const garbage = await shop.build(await shop.commit({ 'package-lock.json': '<<<<<<< HEAD' }));
  assert.match(garbage.error?.message ?? '', /package-lock.json is not JSON/);
  const integrity = `sha512-${Buffer.from('x'.repeat(64)).toString('base64')}`;
  lock.packages[''].dependencies.leftpad = '^1.0.0';
  const whole = {
    ...lock,
    packages: { ...lock.packages, 'node_modules/leftpad': { version: '1.0.1', integrity } },
  };
  const sound = await shop.build(await shop.commit({ 'package-lock.json': JSON.stringify(whole) }));
  assert.equal(sound.error, null);
  assert.deepEqual(sound.materials, [
    { uri: 'pkg:npm/leftpad@1.0.1', digest: { sha512: Buffer.from('x'.repeat(64)).toString('hex') } },
  ]);
  await shop.commit({ 'package.json': null, 'package-lock.json': null });
});

test('hostile outputs are refused by name or made harmless', async () => {
  const run = async (script: string, image = IMAGE) => {
    const commit = await shop.commit(
      { 'server.js': `${script}\n` },
      {
        steps: [{ ...STEP, run: script, outputs: ['out'] }],
        image: { ...image, layers: [{ name: 'app', from: ['out'], to: '/app', exclude: [] }] },
      },
    );
    return shop.build(commit);
  };
  assert.match((await run('mkdir out; mkfifo out/pipe')).error?.message ?? '', /"out\/pipe" is a named pipe/);
  assert.match(
    (await run('mkdir out; ln -s ../../../../etc/passwd out/x')).error?.message ?? '',
    /symlink app\/out\/x -> .* leads out/,
  );
  assert.match(
    (await run('mkdir out; ln -s /etc/passwd out/x')).error?.message ?? '',
    /leads out of the image/,
  );
  assert.match(
    (await run('mkdir out; node -e \'require("fs").writeFileSync(Buffer.from([111,117,116,47,255]), "")\''))
      .error?.message ?? '',
    /not UTF-8/,
  );
  assert.match((await run('ln -s /etc out')).error?.message ?? '', /leads out of the image/);
  assert.match((await run('true')).error?.message ?? '', /left no out/);
  const locked = await run(
    'mkdir -p out/deep; echo x > out/deep/f; chmod 4755 out/deep/f; chmod 000 out/deep; chmod 000 out',
  );
  assert.equal(locked.error, null);
  const long = await run(
    'd=out; for i in 1 2 3 4 5 6 7 8; do d=$d/$(printf %0200d $i); done; mkdir -p $d; echo deep > $d/ü; ln $d/ü out/hard; ln -s hard out/soft',
  );
  assert.equal(long.error, null, long.error?.message);
  const layer = zstdDecompressSync(
    await readFile(join(shop.registry.directory, long.image?.layers[0]?.digest.replace(':', '-') ?? '')),
  );
  const listing = execFileSync('tar', ['-tvf', '-'], {
    input: layer,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  assert.match(listing, /app\/out\/hard\n/);
  assert.match(listing, /app\/out\/soft -> hard/);
  assert.match(listing, /\/ü\n/);
  assert.doesNotMatch(listing, /link to|rws/);
});

test('outputs never pass through a symlink of the source', async () => {
  const { symlinkSync } = await import('node:fs');
  await shop.commit({ 'inside/keep': 'original' });
  symlinkSync('inside', join(shop.repository.directory, 'dist'));
  const commit = await shop.commit(
    {},
    {
      steps: [
        { ...STEP, name: 'make', run: 'rm dist; mkdir dist; echo new > dist/keep', outputs: ['dist'] },
        { ...STEP, name: 'use', needs: ['make'], run: 'cat dist/keep inside/keep; [ ! -L dist ]' },
      ],
    },
  );
  const outcome = await shop.build(commit);
  assert.equal(outcome.error, null, outcome.error?.message);
  assert.equal(await shop.logOf(outcome.buildId, 'use'), 'new\noriginal');
});

test('circles and unknown needs are named before anything runs', async () => {
  const circle = await shop.build(
    await shop.commit(SERVER, {
      steps: [
        { ...STEP, name: 'a', needs: ['b'] },
        { ...STEP, name: 'b', needs: ['a'] },
      ],
    }),
  );
  assert.match(circle.error?.message ?? '', /in a circle: a -> b -> a/);
  const unknown = await shop.build(
    await shop.commit({ x: '1' }, { steps: [{ ...STEP, needs: ['nobody'] }] }),
  );
  assert.match(unknown.error?.message ?? '', /build needs nobody, which is no step/);
});

test('a build asked to stop before it starts runs nothing', async () => {
  const id = await shop.create(await shop.commit(SERVER, { steps: [{ ...STEP, run: 'echo ran' }] }));
  await requestCancel(shop.deps.database, id, 'token:ada');
  const outcome = await runBuild(shop.deps, id, new AbortController().signal);
  assert.equal(outcome.status, 'cancelled');
  assert.equal(await shop.logOf(id, 'build'), '');
});

test('whatever a step writes into log and report is stored, and breaks nothing', async () => {
  const report =
    '<testsuites><testcase name="&#xD800;\\u0000 correct-horse-battery"><failure/></testcase></testsuites>';
  const commit = await shop.commit(
    { 'report.xml': report, 'bytes.bin': Buffer.from([0, 255, 237, 160, 128, 10]) },
    {
      steps: [{ ...STEP, run: 'cat bytes.bin; exit 1', report: { format: 'junit', path: 'report.xml' } }],
    },
  );
  const outcome = await shop.build(commit);
  assert.equal(outcome.status, 'failed');
  assert.match(outcome.error?.message ?? '', /1 tests failed: .*\*\*\*/);
  const row = await readBuild(shop.deps.database, outcome.buildId);
  assert.deepEqual(row?.report?.testReports[0]?.failed, 1);
  assert.ok(!JSON.stringify(row).includes('correct-horse'));
});

test('a report that is a link to a secret of the worker is not read', async () => {
  await mkdir(join(shop.data, 'keys'), { recursive: true });
  await writeFile(join(shop.data, 'keys', 'report.tap'), 'ok 1 - KEY-MATERIAL\n');
  const link = (where: string) => ({
    ...STEP,
    run: `ln -s ${join(shop.data, 'keys')} ${where}`,
    report: { format: 'tap' as const, path: 'k/report.tap' },
  });
  const outcome = await shop.build(await shop.commit(SERVER, { steps: [link('k')] }));
  assert.match(outcome.error?.message ?? '', /wrote no test report/);
  assert.deepEqual(outcome.testReports, []);
  const direct = {
    ...STEP,
    run: `ln -s ${join(shop.data, 'keys/report.tap')} r`,
    report: { format: 'tap' as const, path: 'r' },
  };
  assert.deepEqual((await shop.build(await shop.commit(SERVER, { steps: [direct] }))).testReports, []);
});

for (const kind of ['unshare', 'scrubbed'] as const) {
  test(`a build works in the ${kind} sandbox too, and says which it was`, async () => {
    const other = await workshop({ sandbox: kind });
    try {
      const steps = [
        { ...STEP, name: 'make', run: 'mkdir out; echo $SOURCE_DATE_EPOCH > out/time', outputs: ['out'] },
        { ...STEP, name: 'use', needs: ['make'], run: 'cat out/time; cat keys/* || :' },
      ];
      const commit = await other.commit(SERVER, { steps });
      const outcome = await other.build(commit);
      assert.equal(outcome.error, null);
      assert.equal(outcome.sandbox.kind, kind);
      assert.equal((await readBuild(other.deps.database, outcome.buildId))?.sandbox, kind);
      assert.equal((await other.build(commit)).cacheHits, 2);
    } finally {
      await other.close();
    }
  });
}

test('two installations build the same commit to the same digest', async () => {
  const build = {
    steps: [
      { ...STEP, name: 'deps', run: 'mkdir m; cp package.json m/', inputs: ['package.json'], outputs: ['m'] },
    ],
    image: {
      ...IMAGE,
      layers: [
        { name: 'deps', from: ['m'], to: '/app', exclude: [] },
        { name: 'app', from: ['server.js'], to: '/app', exclude: [] },
      ],
    },
  };
  await shop.build(await shop.commit({ ...SERVER, 'package.json': '{}' }, build));
  const commit = await shop.commit({ 'server.js': 'the second commit\n' }, build);
  const warm = await shop.build(commit);
  assert.equal(warm.cacheHits, 1);
  const other = await workshop({ repository: { ...shop.repository, remove: () => {} } });
  try {
    const again = await other.commit({}, build);
    assert.notEqual(again, commit);
    await other.deps.database.query('update commits set sha = $1, committed_at = $2', [
      commit,
      new Date(1_700_000_000_000),
    ]);
    const rows = await shop.deps.database.query<{ committed_at: Date }>(
      'select committed_at from commits where sha = $1',
      [commit],
    );
    await other.deps.database.query('update commits set committed_at = $1', [rows[0]?.committed_at]);
    Object.assign(other.deps, { loadConfig: shop.deps.loadConfig });
    const cold = await other.build(commit);
    assert.equal(cold.error, null);
    assert.equal(cold.cacheHits, 0);
    assert.equal(cold.digest, warm.digest);
  } finally {
    await other.close();
  }
});
