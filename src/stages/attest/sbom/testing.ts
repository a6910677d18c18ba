import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

const library = dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'));
const read = (name: string) =>
  JSON.parse(readFileSync(join(library, 'res', 'schema', `${name}.SNAPSHOT.schema.json`), 'utf8')) as object;

/**
 * What the published CycloneDX 1.6 JSON Schema says against a document; null when nothing. The library's own validator
 * wants a package more for two formats; here an IRI is checked for the characters no IRI has.
 */
export function cyclonedxProblem(bom: unknown): string | null {
  validate ??= compile();
  return validate(JSON.parse(JSON.stringify(bom))) ? null : JSON.stringify(validate.errors?.slice(0, 5));
}

let validate: ReturnType<typeof compile> | undefined;

function compile() {
  const ajv = new Ajv({ strict: false, allErrors: false });
  addFormats.default(ajv);
  ajv.addFormat('iri-reference', /^[^\s<>"{}|\\^`]*$/);
  ajv.addFormat('idn-email', /^[^\s@]+@[^\s@]+$/);
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs'])
    ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  return ajv.compile(read('bom-1.6'));
}
