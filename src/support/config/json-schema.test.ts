import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configSchemas } from './json-schema.ts';

test('the published schemas are the ones generated here', () => {
  for (const [file, schema] of Object.entries(configSchemas())) {
    const path = fileURLToPath(new URL(`../../../schemas/${file}`, import.meta.url));
    assert.deepEqual(
      JSON.parse(readFileSync(path, 'utf8')),
      schema,
      `${file} is stale: run "npm run schemas"`,
    );
  }
});

test('every field says what it is, and no object takes unknown keys', () => {
  const walk = (schema: Record<string, unknown>, path: string): void => {
    for (const [name, field] of Object.entries(
      (schema.properties ?? {}) as Record<string, Record<string, unknown>>,
    )) {
      const described =
        field.description ?? (field.anyOf as { description?: string }[] | undefined)?.[0]?.description;
      assert.ok(typeof described === 'string' && described.length > 5, `${path}.${name} has a description`);
      walk(field, `${path}.${name}`);
    }
    if (schema.properties) assert.equal(schema.additionalProperties, false, `${path} is closed`);
    if (schema.items) walk(schema.items as Record<string, unknown>, `${path}[]`);
    for (const branch of (schema.anyOf ?? []) as Record<string, unknown>[]) walk(branch, path);
  };
  for (const [file, schema] of Object.entries(configSchemas())) walk(schema as Record<string, unknown>, file);
});
