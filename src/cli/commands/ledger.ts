import { SlipwayError } from '../../kernel/errors.ts';
import { ENTRY_KINDS } from '../../kernel/event.ts';
import type { Api } from '../api/client.ts';
import type { LedgerEntry } from '../api/types.ts';
import { EXIT, usage } from '../errors.ts';
import { clean, oneLine } from '../output/clean.ts';
import { cut, pairs, table } from '../output/table.ts';
import { ago } from '../output/time.ts';
import { readNote } from '../proof/checkpoint.ts';
import type { Input, Run } from '../spec.ts';
import { closest } from '../suggest.ts';
import { readLimit } from './rollout.ts';

export const log: Run = async (context, input) => {
  const { io, output } = context;
  const api = await context.api();
  const from = input.text('from');
  const { entries } = await api.call(
    api.client.GET('/v1/ledger/entries', {
      params: {
        query: {
          ...filters(input),
          limit: readLimit(input, 30, 1_000),
          ...(from === undefined
            ? { order: 'desc' as const }
            : { from: readIndex(from), order: 'asc' as const }),
        },
      },
    }),
  );
  const rows = entries.map((entry) => [
    String(entry.index),
    ago(entry.at, io.nowMs()),
    entry.kind,
    [entry.service, entry.environment].filter((part) => part !== null).join('/') || '-',
    cut(oneLine(entry.subject), 34),
    cut(oneLine(entry.actor), 30),
  ]);
  await output.result(
    entries,
    rows.length === 0 ? '' : table(['INDEX', 'WHEN', 'KIND', 'PLACE', 'SUBJECT', 'BY'], rows),
  );
  if (rows.length === 0) output.note('no entry fits');
  return EXIT.ok;
};

function filters(input: Input) {
  const [service, environment, subject, kind] = ['service', 'environment', 'subject', 'kind'].map((name) =>
    input.text(name),
  );
  return {
    ...(service === undefined ? {} : { service }),
    ...(environment === undefined ? {} : { environment }),
    ...(subject === undefined ? {} : { subject }),
    ...(kind === undefined ? {} : { kind: readKind(kind) }),
  };
}

function readKind(text: string): (typeof ENTRY_KINDS)[number] {
  const found = ENTRY_KINDS.find((kind) => kind === text);
  if (found) return found;
  const meant = closest(text, ENTRY_KINDS);
  throw usage(
    `there is no kind of entry "${text}"`,
    meant ? `did you mean ${meant}?` : `kinds: ${ENTRY_KINDS.join(', ')}`,
  );
}

export function readIndex(text: string): number {
  const index = Number(text);
  if (!/^\d{1,15}$/.test(text))
    throw usage(`"${text}" is no index of an entry`, 'an index is a number from 0');
  return index;
}

export const show: Run = async (context, { args }) => {
  const { output } = context;
  const api = await context.api();
  const path = { index: readIndex(args[0] ?? '') };
  const entry = await api.call(api.client.GET('/v1/ledger/entries/{index}', { params: { path } }));
  await output.result(entry, entryText(entry));
  return EXIT.ok;
};

export function entryText(entry: LedgerEntry): string {
  const place = [entry.service, entry.environment].filter((part) => part !== null).join('/');
  return `${pairs([
    ['entry', String(entry.index)],
    ['kind', entry.kind],
    ['at', entry.at],
    ['by', entry.actor],
    place === '' ? null : ['place', place],
    ['subject', entry.subject],
    ['leaf', entry.leafHash],
  ])}${JSON.stringify(entry.body, null, 2)}`;
}

export const checkpoint: Run = async (context) => {
  const { output } = context;
  const note = await fetchCheckpoint(await context.api());
  const read = readNote(note);
  if (typeof read === 'string')
    throw new SlipwayError('tampered', `the server's checkpoint cannot be read: ${read}`);
  await output.result(
    { origin: read.origin, size: read.size, root: read.root.toString('hex'), note },
    clean(note),
  );
  return EXIT.ok;
};

export async function fetchCheckpoint(api: Api): Promise<string> {
  const response = await api.open('/v1/ledger/checkpoint', {}, AbortSignal.timeout(30_000));
  return response.text();
}
