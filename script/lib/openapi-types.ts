/**
 * TypeScript types of an OpenAPI 3.1 document, in the shape openapi-fetch reads (`paths`, `operations`, `components`). It
 * knows the subset of JSON Schema that the server's zod schemas give; anything else is an error, not an `unknown`.
 */
export function openapiTypes(document: OpenApiDocument): string {
  const paths: string[] = [];
  const operations: string[] = [];
  for (const [path, item] of Object.entries(document.paths)) {
    const methods: string[] = [];
    for (const [method, operation] of Object.entries(item)) {
      methods.push(`    ${method}: operations[${quote(operation.operationId)}];`);
      operations.push(`  ${key(operation.operationId)}: ${typeOfOperation(operation)};`);
    }
    paths.push(`  ${quote(path)}: {\n${methods.join('\n')}\n  };`);
  }
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) => `    ${key(name)}: ${typeOf(schema, 2)};`,
  );
  return [
    '// Generated from schemas/openapi.json; do not edit.',
    `export interface paths {\n${paths.join('\n')}\n}`,
    `export interface components {\n  schemas: {\n${schemas.join('\n')}\n  };\n}`,
    `export interface operations {\n${operations.join('\n')}\n}`,
    '',
  ].join('\n\n');
}

export interface OpenApiDocument {
  paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  components?: { schemas?: Readonly<Record<string, JsonSchema>> };
}

export interface OpenApiOperation {
  operationId: string;
  parameters?: readonly { name: string; in: string; required?: boolean; schema: JsonSchema }[];
  requestBody?: { required?: boolean; content: Content };
  responses: Readonly<Record<string, { content?: Content }>>;
}

type Content = Readonly<Record<string, { schema: JsonSchema }>>;

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

function typeOfOperation(operation: OpenApiOperation): string {
  const parameters = ['query', 'header', 'path', 'cookie'].map((place) => {
    const here = (operation.parameters ?? []).filter((parameter) => parameter.in === place);
    if (here.length === 0) return `      ${place}?: never;`;
    const members = here.map(
      ({ name, required, schema }) => `        ${key(name)}${required ? '' : '?'}: ${typeOf(schema, 4)};`,
    );
    const optional = here.some((parameter) => parameter.required) ? '' : '?';
    return `      ${place}${optional}: {\n${members.join('\n')}\n      };`;
  });
  const { requestBody } = operation;
  const body = requestBody
    ? `requestBody${requestBody.required ? '' : '?'}: { content: ${typeOfContent(requestBody.content)} }`
    : 'requestBody?: never';
  const responses = Object.entries(operation.responses).map(([status, { content }]) => {
    const name = status === 'default' ? status : Number(status);
    const headers = 'headers: { [name: string]: unknown };';
    return `      ${name}: { ${headers} content${content ? '' : '?'}: ${content ? typeOfContent(content) : 'never'} };`;
  });
  return [
    '{',
    '    parameters: {',
    ...parameters,
    '    };',
    `    ${body};`,
    '    responses: {',
    ...responses,
    '    };',
    '  }',
  ].join('\n');
}

function typeOfContent(content: Content): string {
  const members = Object.entries(content).map(([type, { schema }]) => `${quote(type)}: ${typeOf(schema, 4)}`);
  return `{ ${members.join('; ')} }`;
}

/** `depth` is the indentation of the line the type begins on, in steps of two. */
function typeOf(schema: JsonSchema, depth: number): string {
  if (typeof schema.$ref === 'string') return reference(schema.$ref);
  if ('const' in schema) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return union(schema.enum.map((value) => JSON.stringify(value)));
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    const options = schema[keyword];
    if (Array.isArray(options)) return union(options.map((option) => typeOf(option as JsonSchema, depth)));
  }
  if (Array.isArray(schema.allOf))
    return schema.allOf.map((part) => typeOf(part as JsonSchema, depth)).join(' & ');
  const { type } = schema;
  if (Array.isArray(type))
    return union(type.map((one) => typeOf({ ...schema, type: one as unknown }, depth)));
  if (type === undefined) return 'unknown';
  if (type === 'object') return typeOfObject(schema, depth);
  if (type === 'array') return typeOfArray(schema, depth);
  if (type === 'integer') return 'number';
  if (type === 'string' || type === 'number' || type === 'boolean' || type === 'null') return type;
  throw new TypeError(`a schema of type ${JSON.stringify(type)} has no TypeScript form here`);
}

function typeOfArray(schema: JsonSchema, depth: number): string {
  if (Array.isArray(schema.prefixItems))
    return `[${schema.prefixItems.map((item) => typeOf(item as JsonSchema, depth)).join(', ')}]`;
  const item = schema.items ? typeOf(schema.items as JsonSchema, depth) : 'unknown';
  return /[|&]/.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
}

function typeOfObject(schema: JsonSchema, depth: number): string {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const required = new Set((schema.required ?? []) as string[]);
  const extra = schema.additionalProperties;
  if (properties.length === 0)
    return typeof extra === 'object' && extra !== null
      ? `{ [key: string]: ${typeOf(extra as JsonSchema, depth)} }`
      : extra === false
        ? 'Record<string, never>'
        : '{ [key: string]: unknown }';
  const indent = '  '.repeat(depth + 1);
  const members = properties.map(([name, member]) => {
    const description =
      typeof member.description === 'string' ? `${indent}/** ${comment(member.description)} */\n` : '';
    return `${description}${indent}${key(name)}${required.has(name) ? '' : '?'}: ${typeOf(member, depth + 1)};`;
  });
  return `{\n${members.join('\n')}\n${'  '.repeat(depth)}}`;
}

function reference(ref: string): string {
  const match = /^#\/components\/schemas\/([A-Za-z0-9_-]+)$/.exec(ref);
  if (match === null) throw new TypeError(`a reference that is not to a component: ${ref}`);
  return `components["schemas"][${quote(match[1] as string)}]`;
}

function union(members: readonly string[]): string {
  return [...new Set(members)].join(' | ');
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name);
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function comment(text: string): string {
  return text.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ');
}
