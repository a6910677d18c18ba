import { createServer, type Server, type Socket } from 'node:net';
import { SlipwayError } from '../../kernel/errors.ts';
import { MAX_CONNECTIONS } from './context.ts';

const BACKLOG = 4096;
const TCP_KEEPALIVE_MS = 60_000;

/** A bound data port. */
export interface Listener {
  readonly host: string;
  /** What was asked for; 0 lets the system choose. */
  readonly requestedPort: number;
  readonly port: number;
  /** Accepts no more; connections go on. */
  close(): void;
}

/** Binds `host:port`; `port_taken` when it is in use, `invalid_input` when it cannot be bound at all. */
export async function listen(
  host: string,
  port: number,
  onConnection: (socket: Socket) => void,
): Promise<Listener> {
  const server = createServer(
    // Half-open: a client may end its side after the request and wait for the answer.
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS },
    onConnection,
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen({ host, port, backlog: BACKLOG, exclusive: true }, resolve);
  });
  server.on('error', () => {});
  return { host, requestedPort: port, port: boundPort(server), close: () => void server.close() };
}

function boundPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SlipwayError {
  if (error.code === 'EADDRINUSE') {
    return new SlipwayError('port_taken', `port ${port} on ${host} is in use`, {
      hint: 'Choose another port for the lane, or stop the process that holds it.',
      facts: { host, port },
      cause: error,
    });
  }
  return new SlipwayError(
    'invalid_input',
    `${host}:${port} cannot be listened on (${error.code ?? 'unknown'})`,
    {
      hint: 'Use an address of this machine and a port the router may bind.',
      facts: { host, port },
      cause: error,
    },
  );
}
