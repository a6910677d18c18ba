import { readFile, writeFile } from 'node:fs/promises';
import { openapiTypes } from '../script/lib/openapi-types.ts';

/** `node web/api-types.ts`: schemas/openapi.json to web/src/api/schema.d.ts. A test holds them together. */
const document = JSON.parse(await readFile(new URL('../schemas/openapi.json', import.meta.url), 'utf8'));
await writeFile(new URL('src/api/schema.d.ts', import.meta.url), openapiTypes(document));
