import { listenForEnd } from './interrupt.ts';

/** Where a command's output goes. */
export interface Sink {
  write(text: string): void;
  isTTY: boolean;
  /** Width of the terminal; 80 where there is none. */
  columns: number;
}

/** Everything of the process that a command may see. Tests hand in their own. */
export interface Io {
  stdout: Sink;
  stderr: Sink;
  /** Somebody sits at stdin. */
  stdinIsTTY: boolean;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  nowMs(): number;
  readStdin(): Promise<string>;
  /** Aborts `stop` when the command should end; gives what takes the listeners off again. */
  listenForEnd(stop: AbortController): () => void;
}

const MAX_STDIN_BYTES = 1_048_576;

export function processIo(): Io {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdinIsTTY: process.stdin.isTTY === true,
    env: process.env,
    cwd: process.cwd(),
    nowMs: Date.now,
    listenForEnd,
    async readStdin() {
      const parts: Buffer[] = [];
      let size = 0;
      for await (const part of process.stdin) {
        size += (part as Buffer).length;
        if (size > MAX_STDIN_BYTES) throw new RangeError('stdin is longer than 1 MiB');
        parts.push(part as Buffer);
      }
      return Buffer.concat(parts).toString('utf8');
    },
  };
}

function sinkOf(stream: NodeJS.WriteStream): Sink {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns || 80;
    },
  };
}

/** Somebody is there to answer: stdin and stderr are a terminal, and this is no CI job. */
export function isInteractive(io: Io): boolean {
  return io.stdinIsTTY && io.stderr.isTTY && !isCi(io);
}

/** Redrawing lines makes sense: stderr is a terminal that can do it. */
export function mayAnimate(io: Io): boolean {
  return io.stderr.isTTY && !isCi(io) && io.env.TERM !== 'dumb';
}

function isCi({ env }: Io): boolean {
  return env.CI !== undefined && env.CI !== '' && env.CI !== 'false' && env.CI !== '0';
}
