import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMachine } from '../../../src/flow/machine.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { createDirectories, dataDirectory } from '../../../src/platform/data-directory.ts';
import { createLogger } from '../../../src/platform/log.ts';
import { testDatabase } from '../../../src/platform/postgres/testing.ts';
import { VERSION } from '../../../src/server/main.ts';
import { openApi } from '../../../src/server/openapi.ts';
import { apiRoutes } from '../../../src/server/routes.ts';
import { createAuthenticator } from '../../../src/support/access/authenticate.ts';
import { configSchemas } from '../../../src/support/config/json-schema.ts';
import { type OpenApiDocument, openapiTypes } from '../openapi-types.ts';
import { databaseSchema } from './database-schema.ts';

/** Every generated file that is committed: its path from the root, and what it has to hold. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const { document, sql } = await fromTheRunningProduct();
  const types = openapiTypes(document as unknown as OpenApiDocument);
  return new Map([
    ['migrations/schema.sql', sql],
    ['schemas/openapi.json', json(document)],
    ...Object.entries(configSchemas()).map(([file, schema]) => [`schemas/${file}`, json(schema)] as const),
    ['src/cli/api/schema.d.ts', types],
    ['web/src/api/schema.d.ts', types],
  ]);
}

/** The mounted routes are values of a machine; none of them is called. */
async function fromTheRunningProduct() {
  const { database, url, close } = await testDatabase();
  const home = await mkdtemp(join(tmpdir(), 'slipway-generate-'));
  try {
    const data = dataDirectory(home);
    await createDirectories(data);
    const nowhere = { port: 9 };
    const runtime = {
      databaseUrl: url,
      server: { host: '127.0.0.1', ...nowhere },
      router: nowhere,
      agent: nowhere,
      postgresPort: null,
      controlToken: 'not-used-by-anyone-here',
    };
    const machine = await openMachine(data, runtime, createLogger('generate', 'silent'), 'generate');
    try {
      const routes = apiRoutes(machine, createAuthenticator(database, systemClock));
      return { document: openApi(routes, VERSION), sql: await databaseSchema(database) };
    } finally {
      await machine.close();
    }
  } finally {
    await close();
    await rm(home, { recursive: true, force: true });
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
