import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTest, lineOf, type Node, type SourceFile, sourceFiles, walk } from './source.ts';

const MAX_FILE_LINES = 300;
const MAX_TEST_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 60;

/** Files longer than the law allows, and why. An entry that is no longer needed fails too. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'src/agent/agent.test.ts': 'one host agent, started once, and everything it can be told',
  'src/agent/supervisor.ts': 'one state machine of one instance: its moves are read together',
  'src/router/http/head-parser.ts': 'one grammar, one pass; framing rules must be seen side by side',
  'src/router/proxy/client-connection.ts': 'one state machine of one connection',
  'src/router/proxy/exchange.ts': 'one state machine of one exchange between client and backend',
  'src/router/proxy.test.ts': 'one router, started once, and every way a request passes through it',
  'src/stages/build/apply.test.ts': 'one build workshop, and every way a build ends',
  'src/stages/promote/apply.ts': 'the commit protocol of a promotion, step by step in one place',
  'src/stages/rollout/routes.ts': 'all endpoints of a rollout',
};

/** Functions longer than the law allows, and why. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {
  'src/agent/fleet.ts startFleet': 'closures over one fleet; each is short',
  'src/agent/images.ts openImageStore': 'closures over one store; each is short',
  'src/platform/agent-client.ts createAgentClient': 'one method an endpoint',
  'src/platform/blobs/disk.ts openDiskStore': 'closures over one directory; each is short',
  'src/platform/blobs/owned.ts createOwnedUploads': 'closures over one lease table; each is short',
  'src/platform/blobs/uploads.ts createUploads': 'closures over one directory; each is short',
  'src/platform/blobs/write.ts writeStream': 'one stream; backpressure and fsync in order',
  'src/server/routes.ts apiRoutes': 'the list of all endpoints with what each is handed',
  'src/stages/observe/artifacts.ts getArtifact': 'one answer and its parts',
  'src/stages/observe/matrix-cell.ts toCell': 'one row to one cell, field by field',
  'src/stages/observe/metrics.ts metricsRoute': 'one answer, metric after metric',
  'src/stages/promote/routes.ts rollback': 'one request; its checks in order',
  'src/stages/source/routes.ts sourceRoutes': 'the list of endpoints of the source stage',
};

test('files are short, or are listed with the reason', () => {
  const long = sourceFiles()
    .filter((file) => !isGenerated(file))
    .filter((file) => linesOf(file) > (isTest(file.path) ? MAX_TEST_FILE_LINES : MAX_FILE_LINES))
    .map((file) => file.path);
  assertListed(long, Object.keys(LONG_FILES), 'LONG_FILES');
});

test('functions are short, or are listed with the reason', () => {
  const long = sourceFiles()
    .filter((file) => !isTest(file.path) && !isComponent(file.path))
    .flatMap((file) => longFunctions(file));
  assertListed([...new Set(long)], Object.keys(LONG_FUNCTIONS), 'LONG_FUNCTIONS');
});

test('half of all files have at most 100 lines', () => {
  const lines = sourceFiles()
    .filter((file) => !isTest(file.path) && !isGenerated(file))
    .map(linesOf)
    .sort((a, b) => a - b);
  const median = lines[Math.floor(lines.length / 2)] as number;
  assert.ok(median <= 100, `the median file has ${median} lines`);
});

/** What a React component returns is a picture in markup: read as a whole, its length is no measure. */
function isComponent(path: string): boolean {
  return path.startsWith('web/src/');
}

function isGenerated(file: SourceFile): boolean {
  return file.text.startsWith('// Generated');
}

function linesOf(file: SourceFile): number {
  return lineOf(file.text, file.text.length) - 1;
}

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** Outermost first; a long function inside a long one is not told apart. */
function longFunctions({ path, text, program }: SourceFile): string[] {
  const found: string[] = [];
  walk(program, (node, parents) => {
    if (!FUNCTIONS.has(node.type)) return;
    if (lineOf(text, node.end) - lineOf(text, node.start) + 1 <= MAX_FUNCTION_LINES) return;
    found.push(`${path} ${nameOf([...parents, node])}`);
  });
  return found;
}

/** The name of the outermost function around. */
function nameOf(chain: readonly Node[]): string {
  for (const node of chain) {
    const name = (node.id ?? node.key) as { name?: string } | null | undefined;
    if (name?.name) return name.name;
  }
  return '(anonymous)';
}

function assertListed(found: readonly string[], listed: readonly string[], list: string): void {
  const unlisted = found.filter((name) => !listed.includes(name));
  const stale = listed.filter((name) => !found.includes(name));
  assert.deepEqual({ unlisted, stale }, { unlisted: [], stale: [] }, `see ${list} in this file`);
}
