#!/usr/bin/env node
import { openMachine } from './flow/machine.ts';
import { ERROR_CODES, isSlipwayError } from './kernel/errors.ts';
import { systemClock } from './platform/clock.ts';
import { chooseDataDirectory, readRuntime } from './platform/data-directory.ts';
import { createLogger } from './platform/log.ts';

/** The processes of an installation; everything else is a verb of the CLI, a client of the API like any other. */
const PROCESSES: Readonly<Record<string, (data: string | undefined) => Promise<void>>> = {
  async server(flag) {
    const { startServer } = await import('./server/main.ts');
    const data = chooseDataDirectory(flag);
    const machine = await openMachine(data, await readRuntime(data), createLogger('server'), 'server');
    const server = await startServer(machine);
    untilSignal(async () => {
      await server.stop();
      await machine.close();
    });
  },
  async worker(flag) {
    const { startWorker } = await import('./worker/main.ts');
    const data = chooseDataDirectory(flag);
    const machine = await openMachine(data, await readRuntime(data), createLogger('worker'), 'worker');
    const worker = await startWorker(machine);
    worker.failed.catch(() => process.exit(1));
    untilSignal(async () => {
      await worker.stop();
      await machine.close();
    });
  },
  async router(flag) {
    const { startRouter } = await import('./router/main.ts');
    const data = chooseDataDirectory(flag);
    const { router, controlToken } = await readRuntime(data);
    const log = createLogger('router');
    const control = { host: '127.0.0.1', port: router.port };
    const started = await startRouter({
      dataDirectory: data.root,
      control,
      token: controlToken,
      clock: systemClock,
      log,
    });
    untilSignal(() => started.close());
  },
  async agent(flag) {
    const { startAgent } = await import('./agent/main.ts');
    const { registryUrl } = await import('./flow/machine.ts');
    const data = chooseDataDirectory(flag);
    const runtime = await readRuntime(data);
    const { agent, controlToken } = runtime;
    const started = await startAgent({
      dataDirectory: data.root,
      control: { host: '127.0.0.1', port: agent.port },
      token: controlToken,
      registry: {
        url: registryUrl(runtime),
        credentials: { username: 'slipway', password: controlToken },
      },
      clock: systemClock,
      log: createLogger('agent'),
    });
    untilSignal(() => started.close());
    void started.closed.then(() => process.exit(0));
  },
};

function untilSignal(stop: () => Promise<void>): void {
  let stopping = false;
  const end = () => {
    if (stopping) return;
    stopping = true;
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // The supervisor holds the other end: without it nobody would ever stop this process.
  if (process.env.SLIPWAY_SUPERVISED === '1') process.stdin.once('end', end).once('error', end).resume();
}

async function main(argv: readonly string[]): Promise<void> {
  const [verb, ...rest] = argv;
  const start = verb === undefined ? undefined : PROCESSES[verb];
  if (start) {
    const at = rest.indexOf('--data');
    return start(at < 0 ? undefined : rest[at + 1]);
  }
  const { runCli } = await import('./cli/main.ts');
  process.exitCode = await runCli(argv, await import('./local.ts'));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const code = isSlipwayError(error) ? error.code : 'internal';
  process.stderr.write(
    `slipway: ${code}: ${(error as Error).message}\n${isSlipwayError(error) && error.hint ? `  ${error.hint}\n` : ''}`,
  );
  if (code === 'internal') process.stderr.write(`${(error as Error).stack ?? ''}\n`);
  process.exit(ERROR_CODES[code].exit);
});
