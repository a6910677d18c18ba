import { isId } from '../../kernel/ids.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../errors.ts';
import { aboutService } from '../find.ts';
import { clean } from '../output/clean.ts';
import type { Input, Run } from '../spec.ts';

export const logs: Run = async (context, input) => {
  const [service = '', environment, instance] = input.args;
  if (isId(service, 'bld')) return buildLogs(context, input, service);
  if (environment === undefined || instance === undefined)
    throw usage(
      'logs needs a service, an environment and an instance',
      'see the instances: slipway logs <service> <environment> <instance>, or a build: slipway logs bld_…',
    );
  const { output } = context;
  const api = await context.api();
  const answer = await aboutService(
    api,
    service,
    api.call(
      api.client.GET('/v1/services/{service}/environments/{environment}/instances/{instance}/logs', {
        params: { path: { service, environment, instance }, query: { tail: readTail(input) } },
      }),
    ),
  );
  await output.result(answer, answer.text);
  if (answer.text === '') output.note('the instance has written nothing');
  return EXIT.ok;
};

function readTail(input: Input): number {
  const text = input.text('tail') ?? '200';
  const tail = Number(text);
  if (!/^\d{1,4}$/.test(text) || tail < 1 || tail > 5_000)
    throw usage(`--tail takes a number from 1 to 5000, not "${text}"`);
  return tail;
}

/** As it comes, so that --follow shows it live. A terminal gets it without control characters. */
async function buildLogs({ io, output, signal, api }: Context, input: Input, build: string): Promise<number> {
  const step = input.text('step');
  const query = new URLSearchParams({
    ...(step === undefined ? {} : { step }),
    ...(input.flag('follow') ? { follow: 'true' } : {}),
  });
  const response = await (await api()).open(`/v1/builds/${build}/logs?${query}`, {}, signal);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    const piece = decoder.decode(chunk, { stream: true });
    if (output.json) text += piece;
    else io.stdout.write(io.stdout.isTTY ? clean(piece) : piece);
  }
  if (output.json) await output.result({ instance: build, text }, '');
  return EXIT.ok;
}
