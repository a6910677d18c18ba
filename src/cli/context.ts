import { type Api, createApi } from './api/client.ts';
import { type Connection, type ConnectionFlags, resolveConnection } from './connection.ts';
import type { Io } from './io.ts';
import type { Local } from './local.ts';
import type { Output } from './output/output.ts';
import { type Style, styleFor } from './output/style.ts';

/** What a command works with. */
export interface Context {
  io: Io;
  local: Local;
  output: Output;
  /** For text on stderr. */
  errorStyle: Style;
  flags: ConnectionFlags;
  /** Aborted by Ctrl-C, SIGTERM, a closed terminal, or a reader of stdout that went away. */
  signal: AbortSignal;
  /** The server, looked up and read about once. */
  api(): Promise<Api>;
  /** Looks the server up again: one that was restarted may have another port. */
  reconnect(): Promise<Api>;
}

export function createContext(parts: {
  io: Io;
  local: Local;
  output: Output;
  flags: ConnectionFlags;
  signal: AbortSignal;
}): Context {
  const { io, local, output, flags, signal } = parts;
  const warned = new Set<string>();
  const connect = async () => {
    const connection: Connection = await resolveConnection(io, local, flags);
    for (const warning of connection.warnings) {
      if (!warned.has(warning)) output.note(`warning: ${warning}`);
      warned.add(warning);
    }
    return createApi({ connection, version: await local.version(), signal, forTerminal: !output.json });
  };
  let api: Promise<Api> | null = null;
  const reconnect = () => {
    api = connect();
    return api;
  };
  return { ...parts, errorStyle: styleFor(io.stderr, io.env), api: () => api ?? reconnect(), reconnect };
}
