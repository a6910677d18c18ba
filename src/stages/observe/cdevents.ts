import { z } from 'zod';
import { type Route, route } from '../../platform/http/route.ts';
import type { LedgerEntry } from '../../support/ledger/read.ts';

/** A CDEvents 0.4 event in its JSON form; `context.id` is the ledger's index, so that a consumer can tell repeats. */
export interface CdEvent {
  context: { version: '0.4.1'; id: string; source: string; type: string; timestamp: string };
  subject: { id: string; source: string; type: string; content: Record<string, unknown> };
  customData: Record<string, unknown>;
  customDataContentType: 'application/json';
}

type Data = Readonly<Record<string, unknown>>;

interface Mapped {
  type: string;
  subjectType: string;
  subjectId: string;
  content: Record<string, unknown>;
}

/** The event an entry of the ledger is, for the tools of the field; null for entries that have no counterpart there. */
export function toCdEvent(entry: LedgerEntry, source: string): CdEvent | null {
  const data = (entry.body as { data?: Data } | null)?.data ?? {};
  const mapped = map(entry, data);
  if (mapped === null) return null;
  const { type, subjectType, subjectId, content } = mapped;
  return {
    context: {
      version: '0.4.1',
      id: `${source}/v1/ledger/entries/${entry.index}`,
      source,
      type,
      timestamp: entry.at,
    },
    subject: { id: subjectId, source, type: subjectType, content },
    customData: {
      ledgerIndex: entry.index,
      actor: entry.actor,
      service: entry.service,
      environment: entry.environment,
      subject: entry.subject,
    },
    customDataContentType: 'application/json',
  };
}

function map(entry: LedgerEntry, data: Data): Mapped | null {
  switch (entry.kind) {
    case 'commit.seen':
      return {
        type: 'dev.cdevents.change.merged.0.2.0',
        subjectType: 'change',
        subjectId: entry.subject,
        content: { repository: { id: entry.service ?? '' } },
      };
    case 'build.started':
      return {
        type: 'dev.cdevents.build.started.0.2.0',
        subjectType: 'build',
        subjectId: entry.subject,
        content: {},
      };
    case 'build.finished':
      return {
        type: 'dev.cdevents.build.finished.0.2.0',
        subjectType: 'build',
        subjectId: entry.subject,
        content: { artifactId: artifactId(entry, data) },
      };
    case 'artifact.registered':
      return {
        type: 'dev.cdevents.artifact.published.0.2.0',
        subjectType: 'artifact',
        subjectId: purl(entry.service, entry.subject),
        content: {},
      };
    case 'rollout.ended':
      return mapEnd(entry, data);
    default:
      return null;
  }
}

/** First version in a lane: deployed; later ones: upgraded; a way back, by verdict, person or request: rolledback. */
function mapEnd(entry: LedgerEntry, data: Data): Mapped | null {
  const phase = (data.state as { phase?: string } | undefined)?.phase;
  const content = { environment: { id: entry.environment ?? '' }, artifactId: artifactId(entry, data) };
  const subject = { subjectType: 'service', subjectId: entry.service ?? '', content };
  if (phase === 'succeeded') {
    const type =
      data.previousDigest === null
        ? 'dev.cdevents.service.deployed.0.2.0'
        : 'dev.cdevents.service.upgraded.0.2.0';
    return { type, ...subject };
  }
  if (phase === 'rolled-back' || phase === 'aborted')
    return { type: 'dev.cdevents.service.rolledback.0.2.0', ...subject };
  return null;
}

function artifactId(entry: LedgerEntry, data: Data): string {
  return typeof data.digest === 'string' ? purl(entry.service, data.digest) : '';
}

function purl(service: string | null, digest: string): string {
  return `pkg:oci/${service ?? 'unknown'}@${encodeURIComponent(digest)}`;
}

const eventSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  time: z.string(),
  datacontenttype: z.literal('application/json'),
  data: z.unknown(),
});

export interface CdEventDeps {
  entries(from: number, limit: number): Promise<LedgerEntry[]>;
  source: string;
}

const PAGE = 1_000;

/** Events in ledger order; ask again with `from` = `next`. Every consumer keeps its own place and loses nothing. */
export function cdEventsRoute({ entries, source }: CdEventDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/cdevents',
    operationId: 'cdEvents',
    summary: 'What happened, as CDEvents in CloudEvents, in ledger order',
    tag: 'observe',
    access: { verb: 'read' },
    query: z.object({ from: z.coerce.number().int().min(0).default(0) }),
    response: z.object({ next: z.number(), events: z.array(eventSchema) }),
    async handle(_context, { query }) {
      const page = await entries(query.from, PAGE);
      const events = page.flatMap((entry) => {
        const event = toCdEvent(entry, source);
        if (event === null) return [];
        const { id, type, timestamp } = event.context;
        return [
          {
            specversion: '1.0' as const,
            id,
            source,
            type,
            time: timestamp,
            datacontenttype: 'application/json' as const,
            data: event,
          },
        ];
      });
      return { next: (page.at(-1)?.index ?? query.from - 1) + 1, events };
    },
  });
}
