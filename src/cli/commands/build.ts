import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import type { Api } from '../api/client.ts';
import type { Build } from '../api/types.ts';
import type { Context } from '../context.ts';
import { EXIT, Interrupted } from '../errors.ts';
import { aboutService } from '../find.ts';
import { clean, oneLine } from '../output/clean.ts';
import { pairs } from '../output/table.ts';
import { duration } from '../output/time.ts';
import { sleep } from '../sleep.ts';
import type { Run } from '../spec.ts';
import { AWAY_MS, watchOptions } from '../watch/follow.ts';
import { createRelease, readRelease } from './release.ts';

export const build: Run = async (context, input) => {
  const { io, output } = context;
  const [service = '', commit = ''] = input.args;
  const deadlineMs = io.nowMs() + watchOptions(input).timeoutS * 1_000;
  const api = await context.api();
  const id = input.flag('verify')
    ? await startVerification(api, service, commit)
    : await buildOfRelease(context, api, service, commit, deadlineMs);
  await streamLog(context, api, id, deadlineMs);
  const ended = await untilEnded(context, id, deadlineMs);
  if (ended.purpose === 'verify' && ended.status === 'succeeded') return verdict(context, ended);
  const text = `${ended.status === 'succeeded' ? 'built' : ended.status} ${ended.digest ?? ''}\n${facts(ended)}`;
  await output.result(ended, ended.status === 'succeeded' ? text : '');
  if (ended.status === 'succeeded') return EXIT.ok;
  const code = ended.status === 'cancelled' ? 'cancelled' : 'step_failed';
  throw new SlipwayError(code, ended.problem ?? `the build has ${ended.status}`, {
    hint: `see its log: slipway logs ${id}`,
  });
};

function facts(build: Build): string {
  const cached = build.steps.filter(({ status }) => status === 'cached').length;
  return pairs([
    ['build', build.id],
    ['commit', build.commit],
    ['steps', `${build.steps.length}, ${cached} of them from the cache`],
    ['took', build.durationMs === null ? '-' : duration(build.durationMs)],
    ['sandbox', build.sandbox ?? '-'],
  ]);
}

async function startVerification(api: Api, service: string, commit: string): Promise<string> {
  const path = { service };
  const sha = await fullCommit(api, service, commit);
  const { id } = await aboutService(
    api,
    service,
    api.call(
      api.client.POST('/v1/services/{service}/builds', {
        params: { path },
        body: { commit: sha, purpose: 'verify' },
      }),
    ),
  );
  return id;
}

/** The server verifies commits it has seen, by their full id: an abbreviation, a branch or a release number finds one. */
async function fullCommit(api: Api, service: string, text: string): Promise<string> {
  if (/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text)) return text;
  const path = { service };
  const { commits } = await aboutService(
    api,
    service,
    api.call(api.client.GET('/v1/services/{service}/commits', { params: { path, query: { limit: 200 } } })),
  );
  const found = commits.filter(
    ({ sha, ref }) =>
      (text.length >= 4 && sha.startsWith(text)) ||
      ref === text ||
      ref === `refs/heads/${text}` ||
      ref === `refs/tags/${text}`,
  );
  const [first] = found;
  if (first) return first.sha;
  throw new SlipwayError('commit_not_found', `${service} has no commit "${text}" among those seen`, {
    hint: 'give the full commit id, or release it first: slipway release',
  });
}

/** The build of the commit's release, which is made where there is none. */
async function buildOfRelease(
  context: Context,
  api: Api,
  service: string,
  commit: string,
  deadlineMs: number,
): Promise<string> {
  let { id, buildId, status, problem } = await createRelease(api, service, commit);
  while (buildId === null) {
    if (status === 'failed' || status === 'cancelled')
      throw new SlipwayError('step_failed', problem ?? `the release has ${status}`);
    await pause(context, deadlineMs, 'the build did not start in time');
    ({ id, buildId, status, problem } = await readRelease(api, id));
  }
  return buildId;
}

async function streamLog(
  { io, output, signal }: Context,
  api: Api,
  id: string,
  deadlineMs: number,
): Promise<void> {
  const limit = AbortSignal.timeout(Math.max(1, deadlineMs - io.nowMs()));
  try {
    const response = await api.open(`/v1/builds/${id}/logs?follow=true`, {}, limit);
    const decoder = new TextDecoder();
    for await (const chunk of response.body as ReadableStream<Uint8Array>)
      io.stderr.write(clean(decoder.decode(chunk, { stream: true })));
  } catch (error) {
    if (signal.aborted) throw stopped(id);
    // The log is company; what counts is how the build ends.
    if (!limit.aborted) output.note(`the log broke off: ${oneLine((error as Error).message)}`);
  }
}

/** Asks until the build has ended; a server that restarts meanwhile is waited for. */
async function untilEnded(context: Context, id: string, deadlineMs: number): Promise<Build> {
  const { io, output } = context;
  let awaySinceMs: number | null = null;
  for (;;) {
    try {
      const api = await context.api();
      const now = await api.call(api.client.GET('/v1/builds/{build}', { params: { path: { build: id } } }));
      if (now.finishedAt !== null) return now;
      awaySinceMs = null;
    } catch (error) {
      if (!isSlipwayError(error) || !error.retryable) throw error;
      if (awaySinceMs === null) output.note(`the server does not answer; trying again (${error.message})`);
      awaySinceMs ??= io.nowMs();
      if (io.nowMs() - awaySinceMs > AWAY_MS) throw error;
      await context.reconnect();
    }
    await pause(context, deadlineMs, `build ${id} did not end in time; it goes on`);
  }
}

async function pause({ io, signal }: Context, deadlineMs: number, late: string): Promise<void> {
  if (io.nowMs() > deadlineMs) throw new SlipwayError('timeout', late);
  await sleep(250, signal);
  if (signal.aborted) throw new Interrupted('stopped waiting; the build goes on');
}

function stopped(id: string): Interrupted {
  return new Interrupted(`stopped waiting; the build goes on. See: slipway logs ${id} --follow`);
}

/** What a verification found. Its report is the build stage's own document; only what is shown is read here. */
interface Verification {
  verdict: string;
  reason: string;
  first: { layer: string; path: string; why: string; detail: string } | null;
  digests: readonly string[];
  released: { digest: string; reproduced: boolean } | null;
  varied: readonly string[];
  notVaried: readonly string[];
}

const VERDICTS: Readonly<Record<string, number>> = {
  'byte-identical': EXIT.ok,
  'content-identical': EXIT.ok,
  diverged: EXIT.refused,
  inconclusive: EXIT.pending,
};

async function verdict({ output }: Context, ended: Build): Promise<number> {
  const found = (ended.report as { verify?: Verification } | null)?.verify;
  if (!found) throw new SlipwayError('internal', 'the build says nothing about its verification');
  const { first, released, digests } = found;
  const text = `${found.verdict}: ${oneLine(found.reason)}\n${pairs([
    ['digests', [...new Set(digests)].join(', ') || '-'],
    first
      ? ['first difference', `${first.layer}: ${first.path} (${first.why}) ${first.detail}`.trim()]
      : null,
    released ? ['released', `${released.digest}, ${released.reproduced ? 'the same' : 'another one'}`] : null,
    ['varied', found.varied.join(', ')],
    found.notVaried.length > 0 ? ['not varied', found.notVaried.join(', ')] : null,
  ])}`;
  await output.result(ended, text);
  return VERDICTS[found.verdict] ?? EXIT.pending;
}
