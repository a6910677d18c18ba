import type { Io } from '../../src/cli/io.ts';

export interface TestIo extends Io {
  out(): string;
  err(): string;
  /** What Ctrl-C does. */
  interrupt(reason: unknown): void;
}

/** The outside of a command, in memory: neither stream is a terminal unless asked for. */
export function createIo(
  options: {
    cwd?: string;
    env?: Readonly<Record<string, string>>;
    stdoutIsTTY?: boolean;
    stderrIsTTY?: boolean;
    stdinIsTTY?: boolean;
    stdin?: string;
    columns?: number;
    nowMs?: () => number;
    onStdout?: (text: string) => void;
    onStderr?: (text: string) => void;
  } = {},
): TestIo {
  let out = '';
  let err = '';
  let stop: AbortController | null = null;
  const columns = options.columns ?? 80;
  return {
    stdout: {
      isTTY: options.stdoutIsTTY ?? false,
      columns,
      write(text) {
        out += text;
        options.onStdout?.(text);
      },
    },
    stderr: {
      isTTY: options.stderrIsTTY ?? false,
      columns,
      write(text) {
        err += text;
        options.onStderr?.(text);
      },
    },
    stdinIsTTY: options.stdinIsTTY ?? false,
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    nowMs: options.nowMs ?? Date.now,
    readStdin: async () => options.stdin ?? '',
    listenForEnd(controller) {
      stop = controller;
      return () => {};
    },
    out: () => out,
    err: () => err,
    interrupt: (reason) => stop?.abort(reason),
  };
}
