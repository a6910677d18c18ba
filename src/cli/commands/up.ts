import type { Context } from '../context.ts';
import { EXIT, Interrupted, usage } from '../errors.ts';
import { stopInOrder } from '../interrupt.ts';
import { mayAnimate } from '../io.ts';
import type { Started } from '../local.ts';
import type { Run } from '../spec.ts';

/** Starts everything, says where it is, and stays until it is told to end. Exit code 0 after an orderly end. */
export const up: Run = async (context, input) => {
  const { io, local, output, signal } = context;
  const data = input.text('data');
  stopInOrder();
  const started = await start(context, {
    data,
    host: input.text('host') ?? '127.0.0.1',
    port: readPort(input.text('port')),
  });
  if (signal.aborted) {
    await started.stop();
    throw new Interrupted(WHILE_STARTING);
  }
  await announce(context, started.url, local.dataDirectory(data), data);
  await until(signal);
  if (io.stderr.isTTY) output.note('stopping; data stays');
  await started.stop();
  return EXIT.ok;
};

const WHILE_STARTING = 'interrupted while starting; what was started is stopped';

async function start(
  context: Context,
  options: { data: string | undefined; host: string; port: number },
): Promise<Started> {
  const { io, local, output, signal } = context;
  const begin = (progress: (message: string) => void) => local.up({ ...options, progress, signal });
  try {
    // listr2 draws only where stdout is a terminal too, whatever it draws on.
    if (!mayAnimate(io) || !io.stdout.isTTY) return await begin((message) => output.note(message));
    const { Listr, ListrLogger, ProcessOutput } = await import('listr2');
    // Steps are company, not the result: what listr2 takes for its stdout is our stderr.
    const logger = new ListrLogger({
      useIcons: false,
      processOutput: new ProcessOutput(process.stderr, process.stderr),
    });
    const result: { started?: Started } = {};
    const steps = new Listr(
      [
        {
          title: 'Starting Slipway',
          async task(_, task) {
            result.started = await begin((message) => {
              task.output = message;
            });
          },
        },
      ],
      {
        rendererOptions: { logger, showErrorMessage: false, collapseErrors: false },
        registerSignalListeners: false,
      },
    );
    await steps.run();
    return result.started as Started;
  } catch (error) {
    if (signal.aborted) throw new Interrupted(WHILE_STARTING);
    throw error;
  }
}

function readPort(text: string | undefined): number {
  if (text === undefined) return 0;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw usage(`--port takes a number from 0 to 65535, not "${text}"`);
  return port;
}

/** The sign-in link holds the administrator's token: it is for a person's eyes, never for a log. */
async function announce(
  { io, local, output }: Context,
  url: string,
  dataDirectory: string,
  data: string | undefined,
): Promise<void> {
  const { style } = output;
  if (!io.stdout.isTTY) return output.result({ url, dataDirectory }, url);
  const { token } = await local.connection(data);
  const lines = [`Slipway is up at ${style.bold(url)}`];
  if (token !== null) lines.push(`Sign in:  ${url}/login#${token}`);
  lines.push(style.dim(`Data:     ${dataDirectory}`), style.dim('Ctrl-C stops it; data stays.'));
  await output.result({ url, dataDirectory }, lines.join('\n'));
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    // Keeps the process alive, whatever else does.
    const alive = setInterval(() => {}, 2 ** 30);
    signal.addEventListener('abort', () => clearInterval(alive), { once: true });
  });
}
