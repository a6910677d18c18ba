import { createServer } from 'node:net';
import { SlipwayError } from '../kernel/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { LIMITS } from './limits.ts';

/** Nobody listens at 127.0.0.1:`port` right now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

const TRIES = 200;

/**
 * A free loopback port that no instance holds: `previous` when it can be had again. Drawn below the range of outgoing
 * connections, so that no client of this host takes it between now and the instance's listen.
 */
export async function choosePort(
  previous: number | null,
  taken: ReadonlySet<number>,
  clock: Clock,
): Promise<number> {
  if (previous !== null && !taken.has(previous) && (await isFree(previous))) return previous;
  const span = LIMITS.portLast - LIMITS.portFirst;
  for (let i = 0; i < TRIES; i++) {
    const port = LIMITS.portFirst + (Buffer.from(clock.random(4)).readUInt32BE() % span);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new SlipwayError(
    'port_taken',
    `No free port found between ${LIMITS.portFirst} and ${LIMITS.portLast}`,
    {
      hint: 'Stop what listens there, then order the instance again under a new id.',
    },
  );
}
