import { useConnection } from '../live/connection.ts';
import { duration } from '../time/format.ts';

/** Whether what is shown is live; a silent stream is said, with how long it has been silent. */
export function ConnectionBadge() {
  const { state, seconds } = useConnection();
  return (
    <span
      role="status"
      className={`inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium ${state === 'live' ? 'text-muted' : 'bg-wait-soft text-wait'}`}
      title={
        state === 'live'
          ? 'This page follows the server'
          : 'Nothing heard from the server; what is shown may be old. Connecting again.'
      }
    >
      <span
        aria-hidden
        className={`size-2 rounded-full ${state === 'live' ? 'bg-ok' : 'pulse border-2 border-wait bg-transparent'}`}
      />
      {state === 'live' ? 'live' : `stale ${duration(seconds)}`}
    </span>
  );
}
