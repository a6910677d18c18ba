import { useQuery } from '@tanstack/react-query';
import { queries } from '../api/queries.ts';
import { EntryList } from '../ledger/entry-list.tsx';
import { Panel } from '../parts/panel.tsx';
import { Loaded } from '../parts/states.tsx';

/** Entries that only matter when one looks for them. */
const QUIET = new Set([
  'signature',
  'evidence.attached',
  'rollout.changed',
  'artifact.registered',
  'commit.seen',
]);

/** What changed lately, newest first; it follows the ledger. */
export function Activity() {
  const entries = useQuery(queries.entries({ order: 'desc', limit: 200 }));
  return (
    <Panel title="What changed" flush>
      <Loaded query={entries}>
        {({ entries: all }) => (
          <EntryList entries={all.filter((entry) => !QUIET.has(entry.kind)).slice(0, 12)} where />
        )}
      </Loaded>
    </Panel>
  );
}
