import type { Readable } from 'node:stream';
import type { z } from 'zod';

/** What a caller may be allowed to do; access as code maps roles to these, per service and environment. */
export const VERBS = ['read', 'release', 'promote', 'approve', 'operate', 'configure', 'administer'] as const;
export type Verb = (typeof VERBS)[number];

/** Who calls. `actor` is what the ledger says: `token:admin`. */
export interface Principal {
  actor: string;
  roles: readonly string[];
}

/** `open`: anyone on the network may call (health, forge webhooks that carry their own signature). */
export type Access = 'open' | { verb: Verb };

export interface RequestContext {
  principal: Principal;
  requestId: string;
  /** Address of the peer, for limits on failed tries. */
  source: string;
  nowMs: number;
  /** Aborts when the client goes away. */
  signal: AbortSignal;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as it came, for signatures over it; null on GET. */
  rawBody: Buffer | null;
}

/** An answer that is not JSON: text, bytes, or a stream (SSE, logs). */
export class RawAnswer {
  readonly contentType: string;
  readonly body: Readable | Buffer | string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(contentType: string, body: Readable | Buffer | string, headers: Record<string, string> = {}) {
    this.contentType = contentType;
    this.body = body;
    this.headers = headers;
  }
}

/**
 * One endpoint: the server mounts it, checks `access` before anything else, validates the input with the schemas,
 * applies Idempotency-Key on writes, maps errors to problem+json; the OpenAPI document is generated from the same value.
 */
export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Fastify form: `/v1/services/:service`. Params `service` and `environment` scope the access check. */
  path: string;
  operationId: string;
  summary: string;
  tag: string;
  access: Access;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** Schema of the JSON answer; absent for a RawAnswer. */
  response?: z.ZodType;
  /** Content type of a RawAnswer, for the OpenAPI document. */
  produces?: string;
  /** Default 200. */
  status?: number;
  /** Bytes; default 1 MiB. */
  bodyLimit?: number;
  handle(
    context: RequestContext,
    input: { params: unknown; query: unknown; body: unknown },
  ): Promise<unknown>;
}

/** Gives `handle` the types of its schemas. */
export function route<
  Params extends z.ZodType = z.ZodUnknown,
  Query extends z.ZodType = z.ZodUnknown,
  Body extends z.ZodType = z.ZodUnknown,
  Response extends z.ZodType = z.ZodUnknown,
>(definition: {
  method: Route['method'];
  path: string;
  operationId: string;
  summary: string;
  tag: string;
  access: Access;
  params?: Params;
  query?: Query;
  body?: Body;
  response?: Response;
  produces?: string;
  status?: number;
  bodyLimit?: number;
  handle(
    context: RequestContext,
    input: { params: z.infer<Params>; query: z.infer<Query>; body: z.infer<Body> },
  ): Promise<z.infer<Response> | RawAnswer>;
}): Route {
  return definition as unknown as Route;
}
