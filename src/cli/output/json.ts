import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { usage } from '../errors.ts';
import type { Io } from '../io.ts';

export interface JsonSink {
  write(text: string): Promise<void>;
  end(): Promise<void>;
}

/** JSON to stdout, straight or through the jq of this machine (jq -rc), which sees each value as it comes. */
export function openJsonSink(io: Io, filter: string | null): JsonSink {
  if (filter === null) return { write: async (text) => io.stdout.write(text), end: async () => {} };
  // A filter that begins with a minus is no option of jq.
  const child = spawn('jq', ['-rc', '--unbuffered', ` ${filter}`], {
    env: { ...io.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => io.stdout.write(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 2_000);
  });
  // A jq that ended early is judged by its exit code.
  child.stdin.on('error', () => {});
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ENOENT'
          ? usage(
              '--jq needs the program jq, which is not installed here',
              'use --json and read it with another tool',
            )
          : error,
      ),
    );
    child.once('close', (code) => resolve(code ?? 1));
  });
  ended.catch(() => {});
  return {
    async write(text) {
      if (!child.stdin.write(text) && !child.stdin.destroyed)
        await Promise.race([once(child.stdin, 'drain'), ended]);
    },
    async end() {
      child.stdin.end();
      if ((await ended) !== 0) throw usage(`--jq: ${complaint.trim() || 'jq failed'}`);
    },
  };
}
