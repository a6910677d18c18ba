import { z } from 'zod';
import { ERROR_CODES } from '../kernel/errors.ts';
import type { Route } from '../platform/http/route.ts';

type Schema = Record<string, unknown>;

/** The OpenAPI 3.1 document of the mounted routes; schemas are the same zod values that validate. */
export function openApi(routes: readonly Route[], version: string): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of [...routes].sort((a, b) => (a.path + a.method < b.path + b.method ? -1 : 1))) {
    const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}').replace('*', '{rest}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Slipway', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: problemSchema() },
    },
  };
}

function operation(route: Route): Schema {
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    ...(route.access === 'open' ? { security: [] } : { 'x-slipway-verb': route.access.verb }),
    parameters: [
      ...parameters('path', route.params, route.path),
      ...parameters('query', route.query, route.path),
      ...idempotency(route),
    ],
    ...(route.body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(route.body, 'input') } },
          },
        }
      : {}),
    responses: {
      [String(route.status ?? 200)]: { description: 'What was asked for', ...content(route) },
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function content(route: Route): Schema {
  if (route.response)
    return { content: { 'application/json': { schema: schemaOf(route.response, 'output') } } };
  return { content: { [route.produces ?? 'application/octet-stream']: { schema: { type: 'string' } } } };
}

function parameters(where: 'path' | 'query', schema: z.ZodType | undefined, path: string): Schema[] {
  const object = schema
    ? (schemaOf(schema, 'input') as { properties?: Record<string, Schema>; required?: string[] })
    : {};
  const names =
    where === 'path'
      ? [...path.matchAll(/:([A-Za-z]+)/g)].map((match) => match[1] as string)
      : Object.keys(object.properties ?? {});
  const all = where === 'path' && path.includes('*') ? [...names, 'rest'] : names;
  return all.map((name) => ({
    name,
    in: where,
    required: where === 'path' || (object.required ?? []).includes(name),
    schema: object.properties?.[name] ?? { type: 'string' },
  }));
}

function idempotency(route: Route): Schema[] {
  if (route.method === 'GET' || route.access === 'open') return [];
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      schema: { type: 'string', maxLength: 128 },
      description: 'The same key with the same request happens once',
    },
  ];
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    unrepresentable: 'any',
    io,
  }) as Schema;
  return rest;
}

function problemSchema(): Schema {
  return {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code', 'requestId', 'retryable'],
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string', enum: Object.keys(ERROR_CODES) },
      hint: { type: 'string' },
      requestId: { type: 'string' },
      retryable: { type: 'boolean' },
      diagnostics: { type: 'array', items: { type: 'object' } },
      facts: { type: 'object' },
    },
  };
}
