import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COMMANDS } from '../../src/cli/catalogue/all.ts';
import { runCli } from '../../src/cli/main.ts';
import { widthOf } from '../../src/cli/output/table.ts';
import { parseCommandLine } from '../../src/cli/program.ts';
import { optionName } from '../../src/cli/spec.ts';
import { splitWords } from '../golden/session.ts';
import { createIo } from './io.ts';
import { fakeLocal } from './local.ts';

async function help(words: readonly string[]): Promise<string> {
  const io = createIo();
  assert.equal(await runCli(words, fakeLocal(null), io), 0, words.join(' '));
  assert.equal(io.err(), '', words.join(' '));
  return io.out();
}

const GROUPS = [
  ...new Set(
    COMMANDS.map(({ path }) => path.split(' '))
      .filter(({ length }) => length === 2)
      .map(([group = '']) => group),
  ),
];

for (const path of ['', ...GROUPS, ...COMMANDS.map((spec) => spec.path)]) {
  test(`help of "slipway ${path}": examples first, at most 80 columns`, async () => {
    const text = await help([...path.split(' ').filter(Boolean), '--help']);
    assert.match(text, /^\s+\$ slipway |^\s+\$ source /m);
    assert.ok(text.indexOf('\nExamples:') < text.indexOf('\nUsage:'), 'examples come before usage');
    for (const line of text.split('\n')) assert.ok(widthOf(line) <= 80, `${widthOf(line)} columns: ${line}`);
    assert.equal(await help(['help', ...path.split(' ').filter(Boolean)]), text);
  });
}

test('every example is a command line that is understood', async () => {
  for (const spec of COMMANDS) {
    for (const [example] of spec.examples) {
      const line = example
        .replace(/^source <\((.*)\)$/, '$1')
        .replace(/ > .*$/, '')
        .replace('"$(git rev-parse HEAD)"', 'HEAD');
      const [program, ...words] = splitWords(line);
      assert.equal(program, 'slipway', example);
      const parsed = await parseCommandLine(words);
      assert.equal(parsed.kind === 'run' && parsed.spec.path, spec.path, example);
    }
  }
});

test('options are written so that their names can be read', () => {
  for (const spec of COMMANDS)
    for (const option of spec.options ?? [])
      assert.notEqual(optionName(option).name, '', `${spec.path} ${option.flag}`);
});

/** Where a command's JSON is one operation's answer, its fields are exactly that answer's. */
const OPERATIONS: Readonly<Record<string, readonly [operation: string, own: readonly string[]]>> = {
  status: ['matrix/services', []],
  register: ['registerService', []],
  release: ['getRelease', ['event', 'exit']],
  build: ['getBuild', []],
  promote: ['getPromotion', ['event', 'exit']],
  approve: ['getPromotion', []],
  reject: ['getPromotion', []],
  'platform apply': ['applyPlatform', []],
  'platform validate': ['validatePlatform', []],
  'rollout list': ['getRollout', []],
  'rollout show': ['getRollout', []],
  'rollout watch': ['getRollout', ['event', 'exit']],
  'rollout pause': ['getRollout', []],
  'rollout resume': ['getRollout', []],
  'rollout abort': ['getRollout', []],
  rollback: ['getPromotion', ['event', 'exit', 'targets', 'chosen']],
  why: ['why', []],
  verify: ['getArtifact', ['verified']],
  'ledger verify': ['verifyLedger', ['index', 'leafHash', 'signedAt', 'origin', 'keyId', 'entry', 'checks']],
  'ledger log': ['getLedgerEntry', []],
  'ledger show': ['getLedgerEntry', []],
  'token create': ['createToken', []],
  'token list': ['revokeToken', []],
  'token revoke': ['revokeToken', []],
};

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
}

function answerOf(operation: string): string[] {
  const document = JSON.parse(
    readFileSync(new URL('../../schemas/openapi.json', import.meta.url), 'utf8'),
  ) as {
    paths: Record<
      string,
      Record<
        string,
        { operationId: string; responses: Record<string, { content?: Record<string, { schema: Schema }> }> }
      >
    >;
  };
  const [id = '', member] = operation.split('/');
  const found = Object.values(document.paths)
    .flatMap((item) => Object.values(item))
    .find(({ operationId }) => operationId === id);
  const answer = found?.responses['200'] ?? found?.responses['201'];
  const schema = answer?.content?.['application/json']?.schema;
  const shown = member === undefined ? schema : schema?.properties?.[member]?.items;
  return Object.keys(shown?.properties ?? {}).sort();
}

test('the fields of every JSON are those the API gives', () => {
  for (const [path, [operation, own]] of Object.entries(OPERATIONS)) {
    const fields = COMMANDS.find((spec) => spec.path === path)?.fields ?? [];
    assert.deepEqual(fields.filter((field) => !own.includes(field)).sort(), answerOf(operation), path);
  }
});

test('help for what does not exist is an error that names what was meant', async () => {
  for (const [words, meant] of [
    [['help', 'promte'], 'slipway promote'],
    [['rolout', '--help'], 'slipway rollout'],
    [['help', 'rollout', 'wach'], 'slipway rollout watch'],
    [['ledger', 'verfy', '--help'], 'slipway ledger verify'],
  ] as const) {
    const io = createIo();
    assert.equal(await runCli(words, fakeLocal(null), io), 2, words.join(' '));
    assert.match(io.err(), new RegExp(`did you mean ${meant}\\?`));
    assert.equal(io.out(), '');
  }
});
