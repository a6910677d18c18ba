import { EXIT, Interrupted } from './errors.ts';

/** Why a command is asked to end. */
export const READER_LEFT = new Interrupted('the reader of stdout went away');

let inOrder = false;

/** From now on further signals are ignored: the command stops what it started in order, however often it is asked. */
export function stopInOrder(): void {
  inOrder = true;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ctrl-C, SIGTERM and a closed terminal ask the command to end; so do a reader of stdout that went away and a stdout that
 * cannot be written. A second signal ends the process at once.
 */
export function listenForEnd(stop: AbortController): () => void {
  const end = () => {
    if (!stop.signal.aborted) stop.abort(new Interrupted('interrupted'));
    else if (!inOrder) process.exit(EXIT.interrupted);
  };
  const broken = (error: NodeJS.ErrnoException) => {
    if (!stop.signal.aborted) stop.abort(error.code === 'EPIPE' ? READER_LEFT : error);
  };
  for (const signal of SIGNALS) process.on(signal, end);
  process.stdout.on('error', broken);
  // Nobody can be told that stderr does not work.
  process.stderr.on('error', () => {});
  return () => {
    for (const signal of SIGNALS) process.off(signal, end);
  };
}
