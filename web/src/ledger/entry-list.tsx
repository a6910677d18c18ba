import { Link } from '@tanstack/react-router';
import type { LedgerEntry } from '../api/types.ts';
import { ToneIcon } from '../parts/tone.tsx';
import { Time } from '../time/time.tsx';
import { entryWords } from './words.ts';

/** Entries as lines: what, why, who, when; each leads to the entry with its proof. */
export function EntryList({
  entries,
  where,
  numbered,
}: {
  entries: readonly LedgerEntry[];
  /** Says which service and environment. */
  where?: boolean;
  /** Says the place in the log. */
  numbered?: boolean;
}) {
  return (
    <ol className="divide-y">
      {entries.map((entry) => {
        const { title, detail, tone } = entryWords(entry);
        return (
          <li key={entry.index}>
            <Link
              to="/ledger/$index"
              params={{ index: String(entry.index) }}
              preload={false}
              className="grid grid-cols-[auto_1fr_auto] items-baseline gap-x-2.5 px-4 py-1.5 hover:bg-raised focus-visible:-outline-offset-2"
            >
              <span className="translate-y-0.5">
                <ToneIcon tone={tone} />
              </span>
              <span className="min-w-0">
                {where && entry.service !== null && (
                  <span className="mr-1.5 font-medium">
                    {entry.service}
                    {entry.environment !== null && `/${entry.environment}`}
                  </span>
                )}
                <span className="break-words">{title}</span>
                {detail !== '' && <span className="ml-1.5 text-xs break-words text-muted">{detail}</span>}
              </span>
              <span className="flex items-baseline gap-3 text-xs whitespace-nowrap text-muted">
                <span className="max-w-48 truncate max-md:hidden" title={entry.actor}>
                  {entry.actor}
                </span>
                {numbered && <span className="w-14 text-right">{entry.index}</span>}
                <Time at={entry.at} quiet className="w-20 text-right" />
              </span>
            </Link>
          </li>
        );
      })}
    </ol>
  );
}
