import type { z } from 'zod';
import { accessSchema } from './access-schema.ts';
import { jsonSchemaOf } from './diagnose.ts';
import { environmentSchema } from './environment-schema.ts';
import { policySchema } from './policy-schema.ts';
import { serviceSchema } from './service-schema.ts';
import { strategySchema } from './strategy-schema.ts';

const SCHEMAS = {
  'service.schema.json': { title: 'Slipway service (slipway.yaml)', schema: serviceSchema },
  'environment.schema.json': { title: 'Slipway environment', schema: environmentSchema },
  'strategy.schema.json': { title: 'Slipway strategy', schema: strategySchema },
  'policy.schema.json': { title: 'Slipway policy', schema: policySchema },
  'access.schema.json': { title: 'Slipway access', schema: accessSchema },
} as const satisfies Record<string, { title: string; schema: z.ZodType }>;

export type SchemaFile = keyof typeof SCHEMAS;

/** The published JSON Schemas (draft 7, which every editor reads), by file name below `schemas/`. */
export function configSchemas(): Record<SchemaFile, object> {
  const entries = Object.entries(SCHEMAS).map(([file, { title, schema }]) => {
    const { $schema, ...rest } = jsonSchemaOf(schema) as { $schema?: string };
    return [file, { $schema, $id: `https://slipway.dev/schemas/${file}`, title, ...rest }];
  });
  return Object.fromEntries(entries) as Record<SchemaFile, object>;
}
