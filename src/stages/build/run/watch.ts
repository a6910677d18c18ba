import type { Database } from '../../../platform/postgres/database.ts';
import { readCancel } from '../store.ts';

const POLL_MS = 300;

/** A signal that aborts when `outside` does, or when somebody asks to cancel the build. */
export function watchCancel(
  database: Database,
  build: { id: string; cancel_requested_by: string | null },
  outside: AbortSignal,
): { signal: AbortSignal; stop(): void } {
  const asked = new AbortController();
  if (build.cancel_requested_by !== null) asked.abort();
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      if ((await readCancel(database, build.id)) !== null) asked.abort();
    } catch {
      // The database is away: the build goes on, the next look will tell.
    } finally {
      busy = false;
    }
  }, POLL_MS);
  return { signal: AbortSignal.any([outside, asked.signal]), stop: () => clearInterval(timer) };
}
