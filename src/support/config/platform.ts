import type { z } from 'zod';
import type { PlatformConfig, StrategyConfig } from '../../kernel/config.ts';
import type { Diagnostic, SourcePosition } from '../../kernel/errors.ts';
import { accessSchema, resolveAccess } from './access-schema.ts';
import { BUILTIN_ROLES } from './builtin-roles.ts';
import { checkDocument, inFileOrder } from './diagnose.ts';
import { environmentSchema, resolveEnvironment } from './environment-schema.ts';
import { checkPlatform, type PlatformDocuments } from './platform-check.ts';
import { policySchema, resolvePolicy } from './policy-schema.ts';
import { PRESET_STRATEGIES } from './presets.ts';
import type { Placed } from './problem.ts';
import { resolveStrategy, strategySchema } from './strategy-schema.ts';
import { nearest } from './suggest.ts';
import { readYaml } from './yaml.ts';
import type { Path, YamlDocument } from './yaml-reader.ts';

const MAX_FILES = 200;
const MAX_TOTAL_BYTES = 1_048_576;
const MAX_REPORTED = 200;
const MAX_ERRORS = 50;

export interface ParsedPlatform {
  /** null iff there are diagnostics. */
  config: PlatformConfig | null;
  diagnostics: Diagnostic[];
  /** Where a part of the policy of that name stands, for what its tests find. */
  policyPosition(name: string, path: Path): SourcePosition | undefined;
}

const KINDS = {
  Environment: environmentSchema,
  Strategy: strategySchema,
  Policy: policySchema,
  Access: accessSchema,
};

/**
 * Reads a platform folder: `files` holds texts by path. Documents of all kinds may share a file. Never throws; the presets
 * and the builtin roles are part of the result.
 */
export function parsePlatform(files: Readonly<Record<string, string | Uint8Array>>): ParsedPlatform {
  const paths = Object.keys(files).sort();
  const tooMuch = checkSize(files, paths);
  const diagnostics: Diagnostic[] = tooMuch ? [tooMuch] : [];
  const found: Mutable<PlatformDocuments> = { environments: [], strategies: [], policies: [], access: [] };
  for (const path of tooMuch ? [] : paths) {
    if (!/\.ya?ml$/i.test(path)) continue;
    // Broken files are the slow ones to read: after so many errors the rest would only cost time.
    if (diagnostics.length >= MAX_ERRORS) break;
    const read = readYaml(path, files[path] ?? '');
    diagnostics.push(...read.diagnostics);
    for (const document of read.documents) collect(found, document, diagnostics);
  }
  if (diagnostics.length === 0 && found.environments.length === 0)
    diagnostics.push(noEnvironment(paths[0] ?? 'platform.yaml'));
  const presets = presetStrategies();
  if (diagnostics.length === 0) {
    diagnostics.push(...checkPlatform(found, [...presets.keys()], Object.keys(BUILTIN_ROLES)));
  }
  const policyPosition = (name: string, path: Path) =>
    found.policies.find((policy) => policy.value.name === name)?.at.locate(path);
  if (diagnostics.length > 0) {
    return { config: null, diagnostics: inFileOrder(diagnostics).slice(0, MAX_REPORTED), policyPosition };
  }
  const strategies = new Map(presets);
  for (const { value } of found.strategies) strategies.set(value.name, resolveStrategy(value));
  const config = {
    environments: found.environments.map(({ value }) => resolveEnvironment(value)),
    strategies: [...strategies.values()],
    policies: found.policies.map(({ value }) => resolvePolicy(value)),
    access: resolveAccess(found.access.map(({ value }) => value)),
  } satisfies PlatformConfig;
  return { config, diagnostics: [], policyPosition };
}

type Mutable<Documents> = {
  [Key in keyof Documents]: Documents[Key] extends readonly (infer Item)[] ? Item[] : never;
};

function collect(found: Mutable<PlatformDocuments>, document: YamlDocument, diagnostics: Diagnostic[]): void {
  const kind = kindOf(document.value);
  const place = <Schema extends z.ZodType>(schema: Schema, into: Placed<z.output<Schema>>[]) => {
    const checked = checkDocument(schema, document);
    if ('diagnostics' in checked) diagnostics.push(...checked.diagnostics);
    else into.push({ value: checked.value, at: document });
  };
  if (kind === 'Environment') place(environmentSchema, found.environments);
  else if (kind === 'Strategy') place(strategySchema, found.strategies);
  else if (kind === 'Policy') place(policySchema, found.policies);
  else if (kind === 'Access') place(accessSchema, found.access);
  else diagnostics.push(unknownKind(kind, document));
}

function kindOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'kind')
    ? (value as { kind: unknown }).kind
    : undefined;
}

function unknownKind(kind: unknown, document: YamlDocument): Diagnostic {
  const known = Object.keys(KINDS);
  const position = document.locate(['kind']);
  const expected = `expected kind: ${known.join(', ')}`;
  if (kind === 'Service') {
    const hint = 'A service is described by slipway.yaml at the root of its own repository.';
    return { path: 'kind', message: `${expected}, got "Service"`, hint, position };
  }
  const guess = typeof kind === 'string' ? nearest(kind, known) : null;
  const got = typeof kind === 'string' ? `, got "${kind.slice(0, 60)}"` : '';
  const hint = guess ? `Did you mean "${guess}"?` : 'Every document begins with apiVersion and kind.';
  return { path: 'kind', message: `${expected}${got}`, hint, position };
}

function checkSize(
  files: Readonly<Record<string, string | Uint8Array>>,
  paths: readonly string[],
): Diagnostic | null {
  const position = { file: paths[0] ?? 'platform.yaml', line: 1, column: 1 };
  if (paths.length > MAX_FILES) {
    return {
      path: '',
      message: `the platform has ${paths.length} files; at most ${MAX_FILES} are read`,
      position,
    };
  }
  const total = paths.reduce((sum, path) => sum + Buffer.byteLength(files[path] ?? ''), 0);
  if (total <= MAX_TOTAL_BYTES) return null;
  return {
    path: '',
    message: `the platform has ${total} bytes; at most ${MAX_TOTAL_BYTES} are read`,
    position,
  };
}

function noEnvironment(file: string): Diagnostic {
  return {
    path: file,
    message: 'the platform has no environment',
    hint: 'Add a document with kind: Environment.',
    position: { file, line: 1, column: 1 },
  };
}

let presets: ReadonlyMap<string, StrategyConfig> | undefined;

/** The builtin strategies by name. */
export function presetStrategies(): ReadonlyMap<string, StrategyConfig> {
  presets ??= new Map(
    readYaml('presets.yaml', PRESET_STRATEGIES).documents.map((document) => {
      const strategy = resolveStrategy(strategySchema.parse(document.value));
      return [strategy.name, strategy];
    }),
  );
  return presets;
}
