import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { ENTRY_KINDS } from '../../../src/kernel/event.ts';
import { queries } from '../api/queries.ts';
import type { operations } from '../api/schema.d.ts';
import { Button } from '../parts/button.tsx';
import { FilterInput, Select } from '../parts/field.tsx';
import { Page } from '../parts/page.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { EntryList } from './entry-list.tsx';
import { VerifyLog } from './verify-log.tsx';

const route = getRouteApi('/ledger');
const PAGE = 100;

type Kind = NonNullable<NonNullable<operations['listLedgerEntries']['parameters']['query']>['kind']>;

export function LedgerPage() {
  const { kind, service, environment, subject, from } = route.useSearch();
  const navigate = route.useNavigate();
  const known = ENTRY_KINDS.find((one) => one === kind) as Kind | undefined;
  const entries = useQuery(
    queries.entries({ kind: known, service, environment, subject, from, order: 'desc', limit: PAGE }),
  );
  const set = (key: 'kind' | 'service' | 'environment' | 'subject', value: string) =>
    void navigate({
      search: (old) => ({ ...old, [key]: value === '' ? undefined : value, from: undefined }),
      replace: true,
    });
  const oldest = entries.data?.entries.at(-1)?.index;
  return (
    <Page
      title="Ledger"
      windowTitle="Ledger"
      actions={
        <>
          <FilterInput
            label="Subject: an id or digest"
            value={subject ?? ''}
            maxLength={300}
            onChange={(event) => set('subject', event.target.value.trim())}
          />
          <FilterInput
            label="Service"
            value={service ?? ''}
            maxLength={63}
            className="!w-32"
            data-filter={undefined}
            onChange={(event) => set('service', event.target.value.trim())}
          />
          <FilterInput
            label="Environment"
            value={environment ?? ''}
            maxLength={63}
            className="!w-32"
            data-filter={undefined}
            onChange={(event) => set('environment', event.target.value.trim())}
          />
          <Select
            label="Kind"
            value={kind ?? ''}
            options={[
              { value: '', text: 'every kind' },
              ...ENTRY_KINDS.map((one) => ({ value: one, text: one })),
            ]}
            onChange={(event) => set('kind', event.target.value)}
          />
        </>
      }
    >
      <VerifyLog />
      <section aria-label="Entries" className="rounded-lg border bg-panel">
        <Loaded query={entries}>
          {(page) =>
            page.entries.length === 0 ? (
              <Empty title="No entry fits the filter">The ledger has {page.size} entries.</Empty>
            ) : (
              <EntryList entries={page.entries} where numbered />
            )
          }
        </Loaded>
      </section>
      <div className="flex items-center gap-2">
        <Button
          disabled={from === undefined}
          onClick={() => void navigate({ search: (old) => ({ ...old, from: undefined }) })}
        >
          Newest
        </Button>
        <Button
          disabled={oldest === undefined || oldest === 0 || (entries.data?.entries.length ?? 0) < PAGE}
          onClick={() => void navigate({ search: (old) => ({ ...old, from: (oldest ?? 1) - 1 }) })}
        >
          Older
        </Button>
        <span className="text-xs text-muted">
          {entries.data ? `${entries.data.size.toLocaleString('en-US')} entries in the signed log` : ''}
        </span>
      </div>
    </Page>
  );
}
