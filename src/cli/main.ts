import type { Local } from '../local.ts';
export async function runCli(argv: readonly string[], { local }: { local: Local }): Promise<number> {
  const started = await local.up({ data: undefined, host: '127.0.0.1', port: 0, progress: (message) => void process.stderr.write(`${message}\n`) });
  process.stdout.write(`${started.url} ${argv.join(' ')}\n`);
  await new Promise<void>((resolve) => { process.once('SIGINT', () => resolve()); process.once('SIGTERM', () => resolve()); });
  await started.stop();
  return 0;
}
