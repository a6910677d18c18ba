import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SlipwayError } from '../../kernel/errors.ts';
import { descendantsOf, processesIn, sendSignal } from './tree.ts';

/** How long a cancelled command may tidy up between SIGTERM and SIGKILL. */
export const DEFAULT_GRACE_MS = 2_000;
/** After the command ended, its pipes must close within this time: nobody may hold them open. */
const PIPE_CLOSE_MS = 2_000;

export interface CommandSpec {
  /** Absolute path, or a name looked up in `env.PATH`. */
  file: string;
  args: readonly string[];
  /** The whole environment; nothing is inherited. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  timeoutMs: number;
  graceMs?: number;
  signal?: AbortSignal | undefined;
  /** Written to file descriptor 3, then closed: arguments that `ps` must not show. */
  descriptor3?: Buffer;
  /** Standard output and error in the order they arrive. The command waits while a returned promise is pending. */
  onOutput?(chunk: Buffer): void | Promise<void>;
  /** Names of wrapper processes that must not get SIGTERM, as their death would kill the command without grace. */
  launchers?: readonly string[];
  /** Everything that still works in this directory when the command ended is killed. */
  ownedDirectory?: string;
}

export interface CommandResult {
  end: 'exited' | 'timed-out' | 'cancelled';
  /** null when a signal ended it. */
  exitCode: number | null;
  signal: string | null;
  durationMs: number;
}

/**
 * Runs one command in a process group of its own, to its end. On a timeout or an abort the whole tree gets SIGTERM, after the
 * grace SIGKILL; whatever the command left running is killed too, so when this resolves no child survives. Rejects only
 * when the command cannot be started (`internal`) or when `onOutput` fails (the command is killed first).
 */
export async function runCommand(spec: CommandSpec): Promise<CommandResult> {
  if (spec.signal?.aborted) return { end: 'cancelled', exitCode: null, signal: null, durationMs: 0 };
  const startedAt = performance.now();
  const child = spawn(spec.file, spec.args, {
    env: spec.env,
    cwd: spec.cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', spec.descriptor3 ? 'pipe' : 'ignore'],
  });
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (cause) => reject(cannotStart(spec, cause)));
  });
  // Handled below; until then a failure must not count as unhandled.
  exited.catch(() => {});
  const { pid, stdout, stderr } = child;
  if (pid === undefined || !stdout || !stderr) return exited.then(unreachable);

  let end: CommandResult['end'] = 'exited';
  let termTimer: NodeJS.Timeout | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (why: 'timed-out' | 'cancelled') => {
    if (end !== 'exited') return;
    end = why;
    termTimer = terminate(pid, spec.launchers ?? []);
    killTimer = setTimeout(() => killAll(pid), spec.graceMs ?? DEFAULT_GRACE_MS);
  };
  const timer = setTimeout(stop, spec.timeoutMs, 'timed-out');
  const onAbort = () => stop('cancelled');
  spec.signal?.addEventListener('abort', onAbort, { once: true });

  feed(child.stdio[3] as Writable | null | undefined, spec.descriptor3);
  const onFailure = () => killAll(pid);
  const activity: Activity = { pending: 0, lastMs: performance.now() };
  const pumps = Promise.all([
    pump(stdout, spec, activity, onFailure),
    pump(stderr, spec, activity, onFailure),
  ]);
  pumps.catch(() => {});
  try {
    const { code, signal } = await exited;
    return { end, exitCode: code, signal, durationMs: performance.now() - startedAt };
  } finally {
    clearTimeout(timer);
    clearInterval(termTimer);
    clearTimeout(killTimer);
    spec.signal?.removeEventListener('abort', onAbort);
    killAll(pid);
    sweep(spec.ownedDirectory);
    await drain(pumps, activity, () => {
      sweep(spec.ownedDirectory);
      stdout.destroy();
      stderr.destroy();
    });
  }
}

/**
 * SIGTERM to the command's own processes, not to the wrappers around it. The outermost shell comes last, when the others
 * are gone: with it the sandbox ends, and with that whatever is still tidying up. Returns the timer that waits for that.
 */
function terminate(pid: number, launchers: readonly string[]): NodeJS.Timeout | undefined {
  const workers = descendantsOf(pid).filter(({ name }) => !launchers.includes(name));
  const outermost = launchers.length === 0 ? pid : (workers[0]?.pid ?? pid);
  const inner = workers.map((worker) => worker.pid).filter((worker) => worker !== outermost);
  if (inner.length === 0) {
    sendSignal(outermost, 'SIGTERM');
    return undefined;
  }
  for (const worker of inner) sendSignal(worker, 'SIGTERM');
  const timer = setInterval(() => {
    const left = new Set(descendantsOf(pid).map((worker) => worker.pid));
    if (inner.some((worker) => left.has(worker))) return;
    clearInterval(timer);
    sendSignal(outermost, 'SIGTERM');
  }, 25);
  return timer;
}

function killAll(pid: number): void {
  const below = descendantsOf(pid);
  sendSignal(-pid, 'SIGKILL');
  for (const { pid: child } of below) sendSignal(child, 'SIGKILL');
}

function sweep(directory: string | undefined): void {
  if (directory === undefined) return;
  for (const pid of processesIn(directory)) sendSignal(pid, 'SIGKILL');
}

/** Whether a chunk is being taken in right now, and when the last one was done. */
interface Activity {
  pending: number;
  lastMs: number;
}

async function pump(
  stream: Readable,
  spec: CommandSpec,
  activity: Activity,
  onFailure: () => void,
): Promise<void> {
  try {
    for await (const chunk of stream) {
      activity.pending++;
      await spec.onOutput?.(chunk as Buffer);
      activity.pending--;
      activity.lastMs = performance.now();
    }
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    onFailure();
    throw error;
  }
}

/** Takes in the rest of the output. A pipe that stays open without a byte for a while is held by a stranger: cut it. */
async function drain(pumps: Promise<unknown>, activity: Activity, cut: () => void): Promise<void> {
  activity.lastMs = performance.now();
  const watch = setInterval(() => {
    if (activity.pending === 0 && performance.now() - activity.lastMs > PIPE_CLOSE_MS) cut();
  }, 200);
  try {
    await pumps;
  } finally {
    clearInterval(watch);
  }
}

function feed(pipe: Writable | null | undefined, bytes: Buffer | undefined): void {
  if (!pipe || !bytes) return;
  // The command may end before it reads: its exit code tells, not the pipe.
  pipe.on('error', () => {});
  pipe.end(bytes);
}

function cannotStart(spec: CommandSpec, cause: Error): SlipwayError {
  return new SlipwayError('internal', `the command ${spec.file} cannot be started: ${cause.message}`, {
    cause,
  });
}

function unreachable(): never {
  throw new SlipwayError('internal', 'a command without a process ended');
}
