import { dataDirectory } from '../../../src/platform/data-directory.ts';
import { createLogger } from '../../../src/platform/log.ts';
import { up } from '../../../src/up/up.ts';

/** `node supervisor.ts <data directory> <port>`: what `slipway up` does, without its words. One JSON line says it is up. */
const [root = '', port = '0'] = process.argv.slice(2);
const stopping = new AbortController();
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);

try {
  const started = up({
    data: dataDirectory(root),
    host: '127.0.0.1',
    port: Number(port),
    log: createLogger('up'),
    progress: (message) => process.stderr.write(`${message}\n`),
    signal: stopping.signal,
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopping.abort();
      started
        .then((running) => running.stop())
        .then(
          () => process.exit(0),
          () => process.exit(1),
        );
    });
  }
  const { url } = await started;
  say({ url });
} catch (error) {
  const { code, message, hint } = error as { code?: string; message: string; hint?: string };
  say({ error: { code, message, hint } });
  process.exit(1);
}
