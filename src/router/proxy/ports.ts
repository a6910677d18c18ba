import type { Selection } from '../balance/selection.ts';
import type { Frame } from '../http/body-decoder.ts';
import type { HeadParser } from '../http/head-parser.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Backend } from './backend.ts';
import type { ProxyContext } from './context.ts';

/** What an exchange needs from the client's connection. */
export interface ClientSide {
  /** The answer under way is the last on the connection. */
  readonly last: boolean;
  /** False when the client reads slower than it is written to. Strings are latin1. */
  write(frame: Frame): boolean;
  cork(): void;
  uncork(): void;
  pauseReading(): void;
  resumeReading(): void;
  /** The answer was written whole. `keep`: another request may follow. */
  exchangeEnded(keep: boolean): void;
  /** The connection is a tunnel from now on. */
  becomeTunnel(): void;
  /** The backend closed its side of the tunnel. */
  endTunnel(): void;
  /** The answer cannot be finished: only a broken connection tells the client. */
  abort(): void;
}

/** What the connections of a lane need from it. Everything may change between two requests. */
export interface LaneSide {
  readonly context: ProxyContext;
  readonly stickyCookie: { cookie: string; ttlS: number } | null;
  select(buffer: Buffer, parser: HeadParser): Selection;
  choose(selection: Selection, tried: readonly Backend[]): Backend | null;
  /** Where a copy of this request goes; null when it is not mirrored. */
  chooseMirror(): Backend | null;
  sendMirror(backend: Backend, head: RequestHead, frames: readonly Frame[]): void;
  connectFailed(backend: Backend, timedOut: boolean): void;
  countUnrouted(): void;
}
