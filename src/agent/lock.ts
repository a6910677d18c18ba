import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../kernel/errors.ts';

const WAIT_MS = 3_000;
const RETRY_MS = 50;

/**
 * At most one agent obeys for a data directory. The lock is a listening abstract socket: the kernel gives it to one process
 * and takes it back when that process ends, however it ends. Throws `conflict` when another agent keeps it.
 */
export async function lockDirectory(realPath: string): Promise<{ release(): void }> {
  const name = `\0slipway-agent-${createHash('sha256').update(realPath).digest('hex').slice(0, 32)}`;
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    const server = await tryListen(name);
    if (server !== null) return { release: () => void server.close() };
    if (waitedMs >= WAIT_MS) {
      throw new SlipwayError('conflict', 'Another host agent runs on this data directory', {
        hint: 'Stop it first, or use another data directory.',
      });
    }
    await delay(RETRY_MS);
  }
}

function tryListen(name: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: Error & { code?: string }) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}
