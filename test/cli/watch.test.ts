import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Promotion, Release, Rollout } from '../../src/cli/api/types.ts';
import { runCli } from '../../src/cli/main.ts';
import { lookAtPromotion } from '../../src/cli/watch/promotion.ts';
import { lookAtRelease, type ReleaseSight } from '../../src/cli/watch/release.ts';
import { lookAtRollout } from '../../src/cli/watch/rollout.ts';
import { parseFrame, readEvents } from '../../src/cli/watch/sse.ts';
import { fakeServer, type Handler, sendJson } from './fake-server.ts';
import { createIo } from './io.ts';
import { fakeLocal } from './local.ts';

const AT = '2026-01-01T00:00:00.000Z';
const ID = 'rol_01k5zzzzzzzzzzzzzzzzzzzzzz';

function rollout(change: Partial<Rollout> = {}): Rollout {
  return {
    id: ID,
    service: 'shop',
    environment: 'prod',
    kind: 'planned',
    digest: `sha256:${'a'.repeat(64)}`,
    previousDigest: `sha256:${'b'.repeat(64)}`,
    releaseNumber: 5,
    previousReleaseNumber: 4,
    commit: 'c'.repeat(40),
    promotionId: null,
    phase: 'stepping',
    stepIndex: 0,
    steps: [10, 50].map((weight) => ({
      weight,
      minimumS: 1,
      requirePass: true,
      manual: false,
      deadlineS: 60,
    })),
    strategy: 'canary',
    instances: 3,
    weights: { stable: 90, baseline: 0, canary: 10 },
    paused: null,
    turnedBack: null,
    reasons: ['waits for evidence'],
    verdict: null,
    verdictReason: null,
    generation: 1,
    createdAt: AT,
    updatedAt: AT,
    exposedAt: null,
    zeroTrafficAt: null,
    endedAt: null,
    outcome: null,
    listenPort: null,
    ...change,
  } as Rollout;
}

const PAUSED = { at: AT, by: 'token:ann', reason: 'a look' };
const TURNED = { at: AT, by: 'policy', reason: 'errors rose', terminal: 'rolled-back' };

test('a rollout in words: what changed, once', () => {
  const lines = (before: Rollout | null, now: Rollout) => lookAtRollout(before, now, false).lines;
  assert.deepEqual(lines(null, rollout()), [
    'shop/prod: release 5, in place of release 4; canary in 2 steps, 3 instances; stepping',
  ]);
  assert.deepEqual(lines(rollout(), rollout({ updatedAt: 'later', generation: 2 })), []);
  assert.deepEqual(
    lines(rollout(), rollout({ stepIndex: 1, weights: { stable: 50, baseline: 0, canary: 50 } })),
    ['50 % of traffic (step 2 of 2)'],
  );
  assert.deepEqual(lines(rollout(), rollout({ paused: PAUSED })), ['paused by token:ann: a look']);
  assert.deepEqual(lines(rollout({ paused: PAUSED }), rollout({ paused: PAUSED })), []);
  assert.deepEqual(lines(rollout({ paused: PAUSED }), rollout()), ['resumed']);
  assert.deepEqual(lines(rollout(), rollout({ verdict: 'pass', verdictReason: 'no worse' })), [
    'evidence: pass. no worse',
  ]);
  assert.deepEqual(lines(rollout(), rollout({ phase: 'rolling-back', turnedBack: TURNED })), [
    'turning back: errors rose',
  ]);
  assert.deepEqual(lines(rollout(), rollout({ phase: 'promoting' })), ['promoting']);
});

test('a rollout ends with the code of its outcome; --fail-fast does not wait for the end', () => {
  const end = (change: Partial<Rollout>, failFast = false) =>
    lookAtRollout(null, rollout(change), failFast).end;
  for (const [outcome, code] of [
    ['succeeded', 0],
    ['rolled-back', 5],
    ['aborted', 3],
    ['failed', 1],
    ['superseded', 3],
  ] as const)
    assert.equal(end({ outcome, endedAt: AT })?.code, code, outcome);
  assert.equal(end({}), null);
  assert.equal(end({ turnedBack: TURNED }), null);
  assert.equal(end({ turnedBack: TURNED }, true)?.code, 5);
  assert.equal(end({ turnedBack: { ...TURNED, terminal: 'aborted' } }, true)?.code, 3);
  assert.match(
    end({ outcome: 'rolled-back', endedAt: '2026-01-01T00:01:05.000Z', turnedBack: TURNED })?.text ?? '',
    /^shop\/prod: release 5 rolled-back after 1m 05s: errors rose$/,
  );
  assert.equal(lookAtRollout(null, rollout({ paused: PAUSED }), false).pending, true);
});

function promotion(change: Partial<Promotion> = {}): Promotion {
  return {
    id: 'pro_1',
    service: 'shop',
    environment: 'prod',
    status: 'gating',
    reason: null,
    rolloutId: null,
    createdAt: AT,
    endedAt: null,
    ...change,
  } as Promotion;
}

test('a promotion: pending while a person is waited for, the code of its end', () => {
  const look = (now: Promotion, moving: Rollout | null = null, failFast = false) =>
    lookAtPromotion(null, { promotion: now, rollout: moving }, failFast);
  const waits = look(promotion({ status: 'awaiting-approval', reason: 'needs 1' }));
  assert.equal(waits.pending, true);
  assert.match(waits.lines[0] ?? '', /awaiting-approval: needs 1; slipway approve pro_1/);
  for (const [status, code] of [
    ['succeeded', 0],
    ['denied', 5],
    ['rejected', 5],
    ['rolled-back', 5],
    ['failed', 1],
    ['expired', 7],
    ['cancelled', 3],
    ['superseded', 3],
  ] as const)
    assert.equal(look(promotion({ status, endedAt: AT })).end?.code, code, status);
  assert.equal(look(promotion({ status: 'rolling' }), rollout({ turnedBack: TURNED })).end, null);
  assert.equal(look(promotion({ status: 'rolling' }), rollout({ turnedBack: TURNED }), true).end?.code, 5);
});

const ENVIRONMENTS = ['dev', 'staging', 'prod'].map((name, index, all) => ({
  name,
  after: all[index - 1] ?? null,
  promotion: { automatic: name !== 'prod' },
})) as unknown as ReleaseSight['environments'];

function sight(
  status: Release['status'],
  promotions: Partial<Release['promotions'][number]>[],
  problem: string | null = null,
): ReleaseSight {
  const release = {
    id: 'rel_1',
    service: 'shop',
    number: 5,
    status,
    problem,
    commit: { sha: 'c'.repeat(40), message: 'm' },
    promotions,
  } as unknown as Release;
  return { release, build: null, rollouts: [], environments: ENVIRONMENTS };
}

test('a release has ended when nothing moves and no environment is about to take it', () => {
  const end = (seen: ReleaseSight, failFast = false) => lookAtRelease(null, seen, failFast).end?.code ?? null;
  const done = (environment: string, status = 'succeeded') => ({
    id: environment + status,
    environment,
    status,
    reason: null,
    rolloutId: null,
    endedAt: AT,
  });
  const open = (environment: string, status: string) => ({ ...done(environment, status), endedAt: null });
  assert.equal(end(sight('queued', [])), null);
  assert.equal(end(sight('failed', [], 'step test failed')), 1);
  assert.equal(end(sight('cancelled', [])), 3);
  assert.equal(end(sight('built', [])), null, 'dev is about to take it');
  assert.equal(end(sight('built', [done('dev')])), null, 'staging is about to take it');
  assert.equal(end(sight('built', [open('staging', 'rolling'), done('dev')])), null);
  assert.equal(end(sight('built', [done('staging'), done('dev')])), 0, 'prod is for a person');
  assert.equal(end(sight('built', [open('prod', 'awaiting-approval'), done('staging'), done('dev')])), null);
  assert.equal(end(sight('built', [done('staging', 'denied'), done('dev')])), 5);
  assert.equal(
    end(sight('built', [done('staging'), done('staging', 'failed'), done('dev')])),
    0,
    'the latest counts',
  );
  assert.equal(end(sight('built', [open('prod', 'rolling'), done('staging', 'denied'), done('dev')])), null);
  assert.equal(
    end(sight('built', [open('prod', 'rolling'), done('staging', 'denied'), done('dev')]), true),
    5,
  );
  assert.equal(lookAtRelease(null, sight('built', [open('prod', 'awaiting-approval')]), false).pending, true);
});

test('event streams: fields, several lines of data, and events cut anywhere', async () => {
  assert.deepEqual(parseFrame('id: 7\nevent: entry\ndata: {"a":\ndata: 1}'), {
    id: '7',
    event: 'entry',
    data: '{"a":\n1}',
  });
  assert.equal(parseFrame('retry: 1000'), null);
  assert.equal(parseFrame(': comment'), null);
  const bytes = new TextEncoder().encode(
    'retry: 1\n\nid: 1\nevent: a\ndata: ä€😀\n\nevent: ping\r\ndata: {}\r\n\r\nid: 2\ndata: cut',
  );
  for (let size = 1; size < bytes.length; size += 3) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.slice(i * size, (i + 1) * size),
    );
    const seen: string[] = [];
    for await (const { event, data } of readEvents(new Blob(chunks).stream(), () => {}))
      seen.push(`${event} ${data}`);
    assert.deepEqual(seen, ['a ä€😀', 'ping {}'], `pieces of ${size}`);
  }
});

/** A server with one rollout, whose state the test moves, and a stream. */
function watched() {
  const state = {
    now: rollout(),
    authorized: true,
    streams: [] as { lastEventId: unknown; end(): void; send(event: string): void }[],
  };
  const handle: Handler = (request, response) => {
    if (!state.authorized)
      return sendJson(
        response,
        { code: 'unauthenticated', detail: 'the token was revoked', requestId: 'req_1' },
        401,
      );
    if (!request.url?.startsWith('/v1/stream')) return sendJson(response, state.now);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 1000\n\n');
    state.streams.push({
      lastEventId: request.headers['last-event-id'],
      end: () => response.end(),
      send: (event) => void response.write(event),
    });
  };
  return { state, handle };
}

async function until(condition: () => boolean): Promise<void> {
  for (const started = Date.now(); !condition(); ) {
    if (Date.now() - started > 8_000) throw new Error('it did not come to this');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a watch follows news, survives a restart where it was, and says the end once', async () => {
  const { state, handle } = watched();
  let server = await fakeServer(handle);
  const io = createIo({ env: { SLIPWAY_URL: server.url } });
  const running = runCli(['rollout', 'watch', ID], fakeLocal(null), io);
  await until(() => state.streams.length === 1);
  state.now = rollout({ weights: { stable: 50, baseline: 0, canary: 50 }, stepIndex: 1, generation: 2 });
  state.streams[0]?.send('id: 41\nevent: entry\ndata: {}\n\n');
  await until(() => io.err().includes('50 % of traffic'));
  await server.stop();
  await until(() => io.err().includes('the server does not answer'));
  server = await fakeServer(handle, server.port);
  await until(() => state.streams.length === 2 && io.err().includes('the server is back'));
  assert.equal(state.streams[1]?.lastEventId, '41');
  state.now = rollout({
    outcome: 'rolled-back',
    phase: 'rolled-back',
    turnedBack: TURNED,
    endedAt: AT,
    generation: 3,
  });
  state.streams[1]?.send('id: 42\nevent: entry\ndata: {}\n\n');
  assert.equal(await running, 5);
  assert.equal(io.out(), 'shop/prod: release 5 rolled-back after 0 ms: errors rose\n');
  assert.equal(io.err().match(/does not answer/g)?.length, 1);
  assert.ok(!/\r/.test(io.err()) && !io.err().includes('\x1b'), 'no animation where there is no terminal');
  await server.stop();
});

test('NDJSON: one object a change, the last is the end', async () => {
  const { state, handle } = watched();
  const server = await fakeServer(handle);
  const io = createIo({ env: { SLIPWAY_URL: server.url } });
  const running = runCli(['rollout', 'watch', ID, '--json=event,exit,phase'], fakeLocal(null), io);
  await until(() => state.streams.length === 1);
  state.now = rollout({ outcome: 'succeeded', phase: 'succeeded', endedAt: AT, generation: 2 });
  state.streams[0]?.send('event: rollout\ndata: {}\n\n');
  assert.equal(await running, 0);
  const lines = io
    .out()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  assert.deepEqual(lines, [
    { event: 'change', exit: null, phase: 'stepping' },
    { event: 'change', exit: null, phase: 'succeeded' },
    { event: 'end', exit: 0, phase: 'succeeded' },
  ]);
  await server.stop();
});

test('time up: 7 while it moves, 8 while it waits for a person', async () => {
  const { state, handle } = watched();
  const server = await fakeServer(handle);
  const watch = async () => {
    const io = createIo({ env: { SLIPWAY_URL: server.url } });
    return {
      code: await runCli(['rollout', 'watch', ID, '--timeout', '0s'], fakeLocal(null), io),
      err: io.err(),
      out: io.out(),
    };
  };
  const moving = await watch();
  assert.equal(moving.code, 7);
  assert.match(moving.err, /timeout: no end within .*stepping, 10 % of traffic/);
  state.now = rollout({ paused: PAUSED });
  const paused = await watch();
  assert.equal(paused.code, 8);
  assert.match(paused.err, /it waits after .*paused \(a look\)/);
  assert.equal(paused.out, '');
  await server.stop();
});

test('a token that is revoked while watching ends it with 4', async () => {
  const { state, handle } = watched();
  const server = await fakeServer(handle);
  const io = createIo({ env: { SLIPWAY_URL: server.url, SLIPWAY_TOKEN: 'slp_x' } });
  const running = runCli(['rollout', 'watch', ID], fakeLocal(null), io);
  await until(() => state.streams.length === 1);
  state.authorized = false;
  state.streams[0]?.end();
  assert.equal(await running, 4);
  await server.stop();
});

test('Ctrl-C stops the watching, not the rollout, and says so', async () => {
  const { state, handle } = watched();
  const server = await fakeServer(handle);
  const io = createIo({ env: { SLIPWAY_URL: server.url } });
  const running = runCli(['rollout', 'watch', ID], fakeLocal(null), io);
  await until(() => state.streams.length === 1);
  const { Interrupted } = await import('../../src/cli/errors.ts');
  io.interrupt(new Interrupted('interrupted'));
  assert.equal(await running, 130);
  assert.match(io.err(), /it goes on without you. Watch again: slipway rollout watch rol_/);
  assert.equal(server.seen.filter(({ method }) => method !== 'GET').length, 0);
  await server.stop();
});

test('a terminal gets one line that is drawn again; what stays stands above it', async () => {
  const { state, handle } = watched();
  const server = await fakeServer(handle);
  const io = createIo({ env: { SLIPWAY_URL: server.url, NO_COLOR: '1' }, stderrIsTTY: true, columns: 40 });
  const running = runCli(['rollout', 'watch', ID], fakeLocal(null), io);
  await until(() => state.streams.length === 1);
  state.now = rollout({ outcome: 'succeeded', endedAt: AT });
  state.streams[0]?.send('event: rollout\ndata: {}\n\n');
  assert.equal(await running, 0);
  const drawn = io.err().split('\r\x1b[2K');
  assert.ok(drawn.length > 3);
  assert.equal(drawn.at(-1), '', 'nothing is left on the line');
  for (const line of drawn) if (!line.includes('\n')) assert.ok(line.length < 40, line);
  for (const env of [{ CI: 'true' }, { TERM: 'dumb' }]) {
    const plain = createIo({ env: { SLIPWAY_URL: server.url, ...env }, stderrIsTTY: true });
    assert.equal(await runCli(['rollout', 'watch', ID], fakeLocal(null), plain), 0);
    assert.doesNotMatch(plain.err(), /\r/);
  }
  await server.stop();
});
