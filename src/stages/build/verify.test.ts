import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IMAGE, STEP, type Workshop, workshop } from './build.testing.ts';

let shop: Workshop;

before(async () => {
  shop = await workshop();
});
after(() => shop.close());

const image = { ...IMAGE, layers: [{ name: 'app', from: ['out'], to: '/app', exclude: [] }] };

async function verify(run: string, over: Partial<typeof STEP> = {}) {
  const steps = [{ ...STEP, run, outputs: ['out'], ...over }];
  return (await shop.build(await shop.commit({ 'server.js': `${run}\n` }, { steps, image }), 'verify'))
    .verify;
}

test('a pure build is byte-identical at another place, zone, locale, umask and number of processors', async () => {
  const found = await verify(
    'mkdir out; cp server.js out/; date +%z-%s -d @$SOURCE_DATE_EPOCH > out/time; ls | sort > out/list',
  );
  // date +%z shows the zone: this one is not pure.
  assert.equal(found?.verdict, 'diverged');
  const pure = await verify(
    'mkdir -p out/b out/a; cp server.js out/a; date -u -d @$SOURCE_DATE_EPOCH > out/b/time',
  );
  assert.equal(pure?.verdict, 'byte-identical', pure?.reason);
  assert.equal(new Set(pure?.digests).size, 1);
  assert.ok(pure?.varied.includes('time zone'));
  assert.ok(pure?.notVaried.some((entry) => entry.startsWith('wall clock')));
});

test('what differs is named: the first file, why, and where', async () => {
  const path = await verify('mkdir out; echo same > out/a; echo "built in $(pwd)" > out/b; date +%N > out/c');
  assert.equal(path?.verdict, 'diverged');
  assert.equal(path?.first?.path, 'app/out/b');
  assert.match(path?.reason ?? '', /first difference: app\/out\/b in layer 1: size/);
  assert.equal(path?.first?.offset, 'built in /'.length);
  const random = await verify('mkdir out; head -c 64 /dev/urandom > out/r');
  assert.equal(random?.first?.why, 'content');
  assert.equal(typeof random?.first?.offset, 'number');
  const names = await verify('mkdir out; echo x > out/$(hostname)');
  assert.equal(names?.first?.why, 'only in the first');
  assert.equal(names?.first?.path, 'app/out/build');
  const mode = await verify('mkdir out; echo x > out/f; [ "$(nproc)" = 1 ] && chmod +x out/f || :');
  assert.equal(mode?.first?.why, 'mode');
});

test('the order of directories and the umask do not show in an image', async () => {
  const found = await verify('mkdir out; for i in 9 3 5 1; do echo $i > out/$i; done; chmod 640 out/3');
  assert.equal(found?.verdict, 'byte-identical', found?.reason);
});

test('a build that fails is inconclusive, and the release it was verified against is compared', async () => {
  const failed = await verify('exit 1');
  assert.equal(failed?.verdict, 'inconclusive');
  assert.match(failed?.reason ?? '', /the first build failed: step build failed/);
  const steps = [{ ...STEP, run: 'mkdir out; cp server.js out', outputs: ['out'] }];
  const commit = await shop.commit({ 'server.js': 'released\n' }, { steps, image });
  const released = await shop.build(commit);
  const verified = await shop.build(commit, 'verify');
  assert.deepEqual(verified.verify?.released, { digest: released.digest, reproduced: true });
  assert.equal(verified.digest, null);
  assert.equal(shop.entries.at(-1)?.data.verdict, 'byte-identical');
});
