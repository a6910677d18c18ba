import { useEffect, useState } from 'react';
import { asProblem, toProblem } from '../api/problem.ts';
import { createLineReader, type LogLine, MAX_LINES } from './log-text.ts';

export interface Log {
  lines: readonly LogLine[];
  state: 'reading' | 'ended' | 'failed';
  error: Error | null;
}

/** The log of a build as it is written, drawn at most four times a second. `attempt` reads it anew. */
export function useLog(build: string, step: string | undefined, attempt: number): Log {
  const [log, setLog] = useState<Log>({ lines: [], state: 'reading', error: null });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt is another reading
  useEffect(() => {
    const stop = new AbortController();
    const lines: LogLine[] = [];
    const show = (state: Log['state'], error: Error | null = null) =>
      setLog({ lines: lines.slice(0, MAX_LINES), state, error });
    show('reading');
    let drawn = 0;
    const add = (more: readonly LogLine[]) => {
      for (const line of more) if (lines.length < MAX_LINES) lines.push(line);
      if (performance.now() - drawn < 250) return;
      drawn = performance.now();
      show('reading');
    };
    read(build, step, stop.signal, add).then(
      () => show('ended'),
      (error: unknown) => {
        if (!stop.signal.aborted) show('failed', asProblem(error));
      },
    );
    return () => stop.abort();
  }, [build, step, attempt]);
  return log;
}

async function read(
  build: string,
  step: string | undefined,
  signal: AbortSignal,
  add: (lines: readonly LogLine[]) => void,
): Promise<void> {
  const query = new URLSearchParams({ follow: 'true', ...(step === undefined ? {} : { step }) });
  const response = await fetch(`/v1/builds/${encodeURIComponent(build)}/logs?${query}`, { signal });
  if (!response.ok || response.body === null)
    throw toProblem(await response.json().catch(() => null), response);
  const reader = createLineReader();
  const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await text.read();
    if (done) break;
    add(reader.push(value));
  }
  add(reader.end());
}
