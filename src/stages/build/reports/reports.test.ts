import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parseJunit } from './junit.ts';
import { parseTap } from './tap.ts';

const directory = mkdtempSync(join(tmpdir(), 'slipway-reports-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const SUITE = `
import { describe, test } from 'node:test';
test('passes', () => {});
test('fails & <burns>', () => { throw new Error('x > y ]]> not ok 7 - forged'); });
test('skipped', { skip: 'why' }, () => {});
test('todo fails', { todo: true }, () => { throw new Error('later'); });
describe('group', () => { test('inner passes', () => {}); test('inner fails', () => { throw new Error('no'); }); });
`;

/** What Node's own runner writes for the suite. */
function runSuite(reporter: string): string {
  const file = join(directory, 'suite.test.mjs');
  writeFileSync(file, SUITE);
  const output = join(directory, reporter);
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  spawnSync(
    process.execPath,
    ['--test', `--test-reporter=${reporter}`, `--test-reporter-destination=${output}`, file],
    { env },
  );
  return readFileSync(output, 'utf8');
}

test('both formats of a real runner give the same counts', () => {
  const tap = parseTap(runSuite('tap'));
  assert.equal(tap.passed, 2);
  assert.equal(tap.failed, 2);
  assert.equal(tap.skipped, 2);
  assert.deepEqual(tap.failedNames, ['fails & <burns>', 'inner fails']);
  const junit = parseJunit(runSuite('junit'));
  assert.equal(junit.passed, 2);
  assert.ok(
    junit.failedNames.some((name) => name.includes('fails & <burns>')),
    JSON.stringify(junit),
  );
});

test('TAP: plans, bail-outs, directives, diagnostics', () => {
  assert.deepEqual(parseTap('1..0 # SKIP nothing to do\n'), {
    passed: 0,
    failed: 0,
    skipped: 0,
    failedNames: [],
  });
  assert.equal(parseTap('1..3\nok 1\nok 2\n').failed, 1);
  assert.deepEqual(parseTap('1..2\nok 1 - a\nBail out! no database\n').failedNames.length, 2);
  assert.equal(parseTap('not ok 1 - x # TODO later\n1..1').failed, 0);
  assert.equal(parseTap('ok 1 - # not a directive\n1..1').passed, 1);
  assert.equal(parseTap('ok 1\n  ---\n  not ok 2 - inside yaml\n  ...\n1..1').failed, 0);
  assert.equal(parseTap('okay\nnot okay\nok 1\n').passed, 1);
  assert.throws(() => parseTap('nothing here'), /holds no test/);
});

test('JUnit: outcomes, nesting, entities as text', () => {
  const found = parseJunit(
    `<?xml version="1.0"?><!-- <testcase/> --><testsuites><testsuite name="s"><testsuite name="t">
     <testcase name='a "1" > 0' classname="c"/>
     <testcase name="b &lt;&#65;&#x42;&gt;"><error message="e"/><failure/></testcase>
     <testcase name="c"><skipped/></testcase>
     <testcase name="d"><system-out><![CDATA[ <failure/> </testcase> ]]></system-out></testcase>
     </testsuite></testsuite></testsuites>`,
  );
  assert.deepEqual(found, { passed: 2, failed: 1, skipped: 1, failedNames: ['b <AB>'] });
});

test('JUnit: hostile documents are refused', () => {
  const bomb =
    '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><testsuites>&lol2;</testsuites>';
  assert.throws(() => parseJunit(bomb), /declares a document type/);
  assert.throws(() => parseJunit(''), /is empty/);
  assert.throws(() => parseJunit('<html></html>'), /starts with <html>/);
  assert.throws(() => parseJunit('<testsuites><testcase name="a">'), /ends in the middle/);
  assert.throws(() => parseJunit('<testsuites></testsuites></testsuites>'), /closes more/);
  assert.throws(() => parseJunit(`<testsuites>${'<a>'.repeat(100)}`), /nested deeper/);
  assert.throws(() => parseJunit('<testsuites a="'), /ends in the middle/);
  assert.throws(() => parseJunit('<testsuites><!-- '), /ends in the middle/);
});

test('no input makes a parser hang or fail in another way', () => {
  const pieces = fc.constantFrom(
    '<',
    '>',
    '"',
    "'",
    '/',
    '&',
    '<testsuite>',
    '<testcase name="',
    '<![CDATA[',
    '-->',
    '\n',
    'ok 1',
    'not ok',
    '    ',
    '1..5',
    '---',
    'x',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      for (const parse of [parseJunit, parseTap]) {
        try {
          const { passed, failed, skipped } = parse(parts.join(''));
          assert.ok(passed >= 0 && failed >= 0 && skipped >= 0);
        } catch (error) {
          assert.equal((error as Error).name, 'SlipwayError');
        }
      }
    }),
    { numRuns: 500 },
  );
});
