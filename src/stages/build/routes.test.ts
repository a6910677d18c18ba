import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { SlipwayError } from '../../kernel/errors.ts';
import { RawAnswer, type RequestContext } from '../../platform/http/route.ts';
import { runBuild } from './apply.ts';
import { STEP, type Workshop, workshop } from './build.testing.ts';
import { buildRoutes } from './routes.ts';

let shop: Workshop;
const woken: string[] = [];

before(async () => {
  shop = await workshop();
});
after(() => shop.close());

/** As the server does: schemas first, then the handler, then the schema of the answer. */
async function call<Answer = unknown>(
  id: string,
  input: { params: unknown; query?: unknown; body?: unknown },
  signal?: AbortSignal,
): Promise<Answer> {
  const { database, clock } = shop.deps;
  const routes = buildRoutes({ database, clock, wake: async (_, build) => woken.push(build) });
  const route = routes.find(({ operationId }) => operationId === id);
  assert.ok(route);
  const context: RequestContext = {
    principal: { actor: 'token:ada', roles: [] },
    requestId: 'req',
    source: 'test',
    nowMs: clock.nowMs(),
    signal: signal ?? new AbortController().signal,
    headers: {},
    rawBody: null,
  };
  const parsed = {
    params: route.params?.parse(input.params),
    query: route.query?.parse(input.query ?? {}),
    body: route.body?.parse(input.body),
  };
  const answer = await route.handle(context, parsed);
  return (answer instanceof RawAnswer ? answer : route.response?.parse(answer)) as Answer;
}

const read = (answer: RawAnswer) => text(answer.body as Readable);

interface Seen {
  id: string;
  status: string;
  steps: { name: string }[];
  criticalPath: { steps: string[] };
}

test('a build is created, seen, read and listed', async () => {
  const steps = [
    { ...STEP, run: 'echo hello' },
    { ...STEP, name: 'two', needs: ['build'], run: 'echo there' },
  ];
  const commit = await shop.commit({ 'server.js': '1' }, { steps });
  const body = { commit, purpose: 'verify' };
  const created = await call<Seen>('createBuild', { params: { service: 'shop' }, body });
  assert.equal(created.status, 'queued');
  assert.deepEqual(woken, [created.id]);
  await runBuild(shop.deps, created.id, new AbortController().signal);
  const params = { build: created.id };
  const seen = await call<Seen>('getBuild', { params });
  assert.equal(seen.status, 'succeeded');
  assert.deepEqual(
    seen.steps.map(({ name }) => name),
    ['build', 'two'],
  );
  assert.deepEqual(seen.criticalPath.steps, ['build', 'two']);
  const log = await call<RawAnswer>('getBuildLogs', { params, query: { step: 'two' } });
  assert.equal(log.headers['x-content-type-options'], 'nosniff');
  assert.equal(await read(log), '[first build]\nthere\n[second build]\nthere\n');
  const all = await read(await call<RawAnswer>('getBuildLogs', { params }));
  assert.match(all, /^=== build\n.*hello.*=== two\n/s);
  const list = { params: { service: 'shop' }, query: { limit: '1' } };
  const page = await call<{ builds: Seen[] }>('listBuilds', list);
  assert.deepEqual(
    page.builds.map(({ id }) => id),
    [created.id],
  );
});

test('following shows the log as it grows and ends with the build; cancelling ends it', async () => {
  const steps = [{ ...STEP, run: 'echo one; sleep 0.6; echo two; sleep 100' }];
  const id = await shop.create(await shop.commit({ 'server.js': '2' }, { steps }));
  const running = runBuild(shop.deps, id, new AbortController().signal);
  const params = { build: id };
  const deadline = Date.now() + 10_000;
  while ((await call<Seen>('getBuild', { params })).steps.length === 0) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const answer = await call<RawAnswer>('getBuildLogs', { params, query: { step: 'build', follow: 'true' } });
  let output = '';
  for await (const piece of answer.body as Readable) {
    output += piece;
    if (output.includes('two')) await call('cancelBuild', { params }).catch(() => {});
  }
  // The shell may say that it was terminated.
  assert.match(output, /^one\ntwo\n(?:Terminated\n)?$/);
  assert.equal((await running).status, 'cancelled');
  await assert.rejects(call('cancelBuild', { params }), isCode('invalid_state'));
});

test('what is not there is said so', async () => {
  await assert.rejects(call('getBuild', { params: { build: 'bld_nothing' } }), isCode('not_found'));
  await assert.rejects(call('cancelBuild', { params: { build: 'bld_nothing' } }), isCode('not_found'));
  const params = { service: 'shop' };
  const body = { commit: 'f'.repeat(40), purpose: 'verify' };
  await assert.rejects(call('createBuild', { params, body }), isCode('commit_not_found'));
  await assert.rejects(call('createBuild', { params, body: { ...body, commit: 'main' } }), /lower-case hex/);
  const id = await shop.create(await shop.commit({ 'server.js': '3' }));
  const log = { params: { build: id } };
  await assert.rejects(call('getBuildLogs', { ...log, query: { step: 'nope' } }), isCode('not_found'));
  assert.equal(await read(await call<RawAnswer>('getBuildLogs', log)), '');
});

test('a reader who goes away ends the stream', async () => {
  const id = await shop.create(await shop.commit({ 'server.js': '4' }));
  const gone = new AbortController();
  const input = { params: { build: id }, query: { follow: 'true' } };
  const answer = await call<RawAnswer>('getBuildLogs', input, gone.signal);
  setTimeout(() => gone.abort(), 100);
  assert.equal(await read(answer), '');
});

function isCode(code: string) {
  return (error: unknown) => error instanceof SlipwayError && error.code === code;
}
