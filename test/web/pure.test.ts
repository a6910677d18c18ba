import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { appendLeaf, emptyTree, leafHash as productLeaf, rootOf } from '../../src/support/ledger/merkle.ts';
import { componentsOf, testsOf } from '../../web/src/artifact/predicate.ts';
import { createLineReader, plainLine, search } from '../../web/src/build/log-text.ts';
import { nearest, thin, ticks, top, weightMarks } from '../../web/src/charts/series.ts';
import { webUrl } from '../../web/src/format/names.ts';
import { bytes, count, latency, percent } from '../../web/src/format/numbers.ts';
import { checkEntry, readNote } from '../../web/src/ledger/check.ts';
import { leafHash, verifyInclusion } from '../../web/src/ledger/merkle.ts';
import { entryWords } from '../../web/src/ledger/words.ts';
import { mergePoints, withEntry } from '../../web/src/live/merge.ts';
import { isCell, select, statusOf, tally } from '../../web/src/matrix/words.ts';
import { instancesOf, peakWeight, stepSettledAt } from '../../web/src/rollout/history.ts';
import { budgetWords, headline } from '../../web/src/rollout/words.ts';
import { changesBetween } from '../../web/src/service/diff.ts';
import { absolute, duration, elapsed, relative } from '../../web/src/time/format.ts';
import { artifactOf, RELEASES } from './fixtures/delivery.ts';
import { ENTRIES, KEYS, proofOf } from './fixtures/ledger.ts';
import { fullMatrix } from './fixtures/matrix.ts';
import { NOW } from './fixtures/names.ts';
import { evidenceOf, noEvidence, rolledBack, rolloutOf, succeeded } from './fixtures/rollout.ts';

/** What the pages compute, apart from drawing it. */

describe('times', () => {
  test('an age is a lower bound in one unit', () => {
    assert.deepEqual([0, 1, 119, 120, 7_199, 7_200, 172_799, 172_800, 8e6].map(duration), [
      '0 s',
      '1 s',
      '119 s',
      '2 min',
      '119 min',
      '2 h',
      '47 h',
      '2 d',
      '92 d',
    ]);
    assert.equal(relative(1_000_000, 1_000_400), 'now');
    assert.equal(relative(1_000_000, 1_300_000), '5 min ago');
    assert.equal(relative(1_300_000, 1_000_000), 'in 5 min');
  });
  test('how long something took', () => {
    assert.deepEqual([0, 236, 999, 4_240, 59_400, 65_000, 3_599_600, 7_800_000].map(elapsed), [
      '0 ms',
      '236 ms',
      '999 ms',
      '4.2 s',
      '59 s',
      '1 min 05 s',
      '1 h 00 min',
      '2 h 10 min',
    ]);
  });
  test('absolute times name their zone', () => {
    assert.equal(absolute(Date.UTC(2026, 2, 4, 14, 31, 7), 'utc'), '2026-03-04 14:31:07 UTC');
    assert.match(
      absolute(Date.UTC(2026, 2, 4, 14, 31, 7), 'local'),
      /^2026-03-0\d \d\d:\d1:07 [+-]\d\d:\d\d$/,
    );
  });
});

describe('figures', () => {
  test('no value is neither zero nor a number', () => {
    for (const format of [count, percent, latency])
      for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
        assert.equal(format(value), '–');
    assert.deepEqual(
      [percent(0), percent(0.000_03), percent(0.021), percent(0.38)],
      ['0 %', '0.003 %', '2.1 %', '38 %'],
    );
    assert.deepEqual(
      [latency(0), latency(0.000_64), latency(0.0421), latency(1.31)],
      ['0 ms', '0.6 ms', '42 ms', '1.3 s'],
    );
    assert.deepEqual(
      [count(0.42), count(1_240), bytes(512), bytes(17_001_123)],
      ['0.4', '1,240', '512 B', '16.2 MiB'],
    );
  });
  test('only http and https become links', () => {
    assert.equal(webUrl('https://forge.example/x'), 'https://forge.example/x');
    for (const text of [
      'javascript:alert(1)',
      ' JAVASCRIPT:alert(1)',
      'data:text/html,x',
      'file:///etc',
      '/tmp/x',
      '',
      null,
      'vbscript:x',
    ])
      assert.equal(webUrl(text), null);
  });
});

describe('headline of a rollout', () => {
  const title = (...args: Parameters<typeof headline>) => headline(...args).title;
  test('says what is so, in every state', () => {
    assert.equal(
      title(rolloutOf(), evidenceOf('good'), NOW),
      'Undecided at 25 %: 1,240 more canary requests decide, about 62 s',
    );
    assert.equal(title(rolloutOf(), evidenceOf('bad'), NOW), 'Release 14 is worse: turning back');
    assert.equal(title(rolloutOf(), noEvidence(), NOW), 'No data yet at 25 %; without data nothing passes');
    assert.equal(
      title(rolloutOf({ phase: 'preparing' }), null, NOW),
      'Starting instances of release 14; no traffic has moved',
    );
    assert.equal(
      title(rolloutOf({ phase: 'rolling-back', weights: { stable: 95, baseline: 0, canary: 5 } }), null, NOW),
      'Turning back to release 13: 5 % of traffic left to return',
    );
    assert.equal(title(succeeded(), null, NOW), 'Release 14 took over in prod');
    assert.match(
      headline(rolledBack(), null, NOW).detail,
      /2\.1 % of 3,104.*All traffic was back on release 13 1\.0 s after/,
    );
    assert.match(
      headline({ ...rolledBack(), exposedAt: null }, null, NOW).detail,
      /No request ever reached it/,
    );
  });
  test('missing data never reads as good', () => {
    for (const phase of ['preparing', 'stepping'] as const)
      assert.notEqual(headline(rolloutOf({ phase, verdict: null }), null, NOW).tone, 'ok');
  });
  test('what it cost, when there is a budget', () => {
    const evidence = evidenceOf('good');
    assert.equal(budgetWords(evidence), null);
    const last = evidence.points.at(-1);
    assert.ok(last);
    last.point.budget = { spent: 0.002, allowed: 0.01 };
    assert.equal(budgetWords(evidence), 'error budget: 0.2 % spent of the 1.0 % this rollout may cost');
  });
});

describe('what the ledger tells of a rollout', () => {
  const mine = ENTRIES.filter((entry) => entry.subject.startsWith('rol_'));
  test('instances by the last thing asked of them', () => {
    const states = Object.fromEntries(
      instancesOf(mine).map(({ id, group, state }) => [id, `${group} ${state}`]),
    );
    assert.deepEqual(states, {
      'k3-c1': 'canary serving',
      'k3-c2': 'canary serving',
      'k3-b1': 'baseline serving',
      'k2-s1': 'stable serving',
      'k2-s2': 'stable serving',
    });
  });
  test('when the step settled, and the highest weight', () => {
    assert.equal(stepSettledAt(mine, 1), NOW - 45_000);
    assert.equal(stepSettledAt(mine, 2), null);
    assert.equal(peakWeight(mine), 25);
    assert.equal(peakWeight([]), 0);
  });
  test('every entry has words, whatever its data', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ENTRIES), fc.jsonValue(), (entry, data) => {
        const { title } = entryWords({ ...entry, body: { data } });
        assert.equal(typeof title, 'string');
      }),
    );
  });
});

describe('live data', () => {
  test('points come once, in order, whatever a reconnect sends again', () => {
    const series = evidenceOf('good', 10);
    const more = evidenceOf('bad', 14).points;
    const merged = mergePoints(mergePoints(series, more), more);
    assert.deepEqual(
      merged.points.map((point) => point.n),
      Array.from({ length: 14 }, (_, i) => i),
    );
    assert.equal(merged.verdict, more.at(-1)?.point.verdict);
    assert.equal(mergePoints(series, series.points), series, 'nothing new draws nothing');
  });
  test('an entry joins the pages it fits, in their order', () => {
    const entry = { ...(ENTRIES[7] as (typeof ENTRIES)[number]), index: 99 };
    const page = { size: 12, entries: [...ENTRIES] };
    assert.equal(withEntry(page, {}, entry).entries.at(-1)?.index, 99);
    assert.equal(withEntry(page, { order: 'desc' }, entry).entries[0]?.index, 99);
    assert.equal(
      withEntry(page, { order: 'desc', from: 5 }, entry).entries.length,
      12,
      'an older page stays',
    );
    assert.equal(withEntry(page, { kind: 'signature' }, entry).entries.length, 12);
    assert.equal(withEntry(page, { order: 'desc', limit: 12 }, entry).entries.length, 12);
    assert.equal(withEntry(page, { kind: 'signature' }, entry).size, 100);
  });
});

describe('matrix', () => {
  const { services } = fullMatrix();
  test('counts and filters agree', () => {
    const counts = tally(services);
    assert.deepEqual(counts, { moving: 1, waiting: 2, trouble: 3, behind: 5 });
    for (const filter of ['moving', 'waiting', 'trouble', 'behind'] as const)
      for (const service of select(services, '', filter))
        assert.ok(service.cells.some((cell) => isCell(filter, cell, service)));
  });
  test('words are all asked for', () => {
    assert.deepEqual(
      select(services, 'SHOP #14', undefined).map((one) => one.name),
      ['shop'],
    );
    assert.deepEqual(select(services, 'shop mailer', undefined), []);
  });
  test('what needs a person comes before what waits', () => {
    const mailer = services.find((one) => one.name === 'mailer')?.cells[2];
    assert.ok(mailer);
    const both = {
      ...mailer,
      waiting: [
        { ...mailer.waiting[0], status: 'waiting', reason: 'soaks' },
        ...mailer.waiting,
      ] as typeof mailer.waiting,
    };
    assert.match(statusOf(both)?.text ?? '', /needs approval/);
  });
});

describe('charts', () => {
  test('thinning keeps the first, the last and the order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 2, max: 400 }), (n, most) => {
        const items = Array.from({ length: n }, (_, i) => i);
        const kept = thin(items, most);
        assert.ok(kept.length <= Math.max(most, Math.min(n, most)));
        assert.equal(kept[0], items[0]);
        assert.equal(kept.at(-1), items.at(-1));
        assert.ok(kept.every((value, i) => i === 0 || value > (kept[i - 1] as number)));
      }),
    );
  });
  test('ticks begin at zero, rise, and stay inside', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), (max) => {
        const all = ticks(max);
        assert.equal(all[0], 0);
        assert.ok(all.length >= 2 && all.length <= 5 && (all.at(-1) as number) <= max * 1.001);
      }),
    );
    assert.deepEqual(ticks(Number.NaN), [0]);
  });
  test('a gap is no zero', () => {
    assert.equal(top([{ name: 'a', look: 'canary', values: [null, null] }], 10), 11);
  });
  test('the nearest look, and where the weight changed', () => {
    assert.deepEqual(
      [-5, 4, 6, 99].map((at) => nearest([0, 10, 20], at)),
      [0, 0, 1, 2],
    );
    assert.equal(nearest([], 5), 0);
    const points = evidenceOf('good', 30).points.map(({ point }) => point);
    assert.deepEqual(
      weightMarks(points).map((mark) => mark.label),
      ['10 %', '25 %'],
    );
  });
});

describe('proofs in the browser', () => {
  const raw = (buffer: Buffer) => Uint8Array.from(buffer);
  test('agree with the product for every entry of logs of every size, and with nothing else', async () => {
    const all = ENTRIES.map((_, i) => proofOf(i));
    for (const proof of all) {
      const leaf = await leafHash(raw(Buffer.from(proof.body, 'base64')));
      const hashes = proof.hashes.map((hash) => raw(Buffer.from(hash, 'base64')));
      const root = raw(Buffer.from(proof.root, 'base64'));
      assert.ok(await verifyInclusion(leaf, proof.index, proof.size, hashes, root));
      assert.ok(!(await verifyInclusion(leaf, proof.index + 1, proof.size, hashes, root)));
      assert.ok(!(await verifyInclusion(leaf, proof.index, proof.size, hashes.slice(1), root)));
      assert.ok(!(await verifyInclusion(leaf, proof.index, proof.size, [...hashes, leaf], root)));
    }
    const tree = emptyTree();
    for (const proof of all) appendLeaf(tree, productLeaf(Buffer.from(proof.body, 'base64')));
    assert.equal(rootOf(tree).toString('base64'), all[0]?.root);
  });
  test('the checkpoint has to be of this root and size, signed by the ledger key', async () => {
    const entry = ENTRIES[3] as (typeof ENTRIES)[number];
    const proof = proofOf(3);
    const verdicts = async (change: Partial<typeof proof>, keys = KEYS.keys) =>
      (await checkEntry({ ...proof, ...change }, entry.leafHash, keys)).map((check) => check.ok);
    assert.deepEqual(await verdicts({}), [true, true, true, true]);
    assert.deepEqual(await verdicts({}, []), [true, true, true, false]);
    assert.deepEqual(await verdicts({ checkpoint: proof.checkpoint.replace('\n12\n', '\n13\n') }), [
      true,
      true,
      false,
      false,
    ]);
    assert.deepEqual(await verdicts({ checkpoint: 'none' }), [true, true, false, false]);
    assert.deepEqual(await verdicts({ body: 'not base64!' }), [false]);
    const other = createHash('sha256').update('other').digest('base64');
    assert.deepEqual(await verdicts({ root: other }), [true, false, false, true]);
  });
  test('notes from anywhere are read or refused, never thrown at', () => {
    fc.assert(fc.property(fc.string(), (text) => void readNote(text)));
    assert.equal(readNote(`a\n1\n${'A'.repeat(44)}\n\n${'x'.repeat(20_000)}`), null);
  });
});

describe('logs', () => {
  test('lines are whole however the text is cut', () => {
    const text = 'one\ntwo\n\nthree';
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
        const reader = createLineReader();
        const places = [...new Set([0, ...cuts, text.length])].sort((a, b) => a - b);
        const lines = places.flatMap((at, i) => reader.push(text.slice(at, places[i + 1] ?? text.length)));
        assert.deepEqual(
          [...lines, ...reader.end()].map((line) => line.text),
          ['one', 'two', '', 'three'],
        );
      }),
    );
  });
  test('escape sequences and control characters are taken out; a carriage return writes over', () => {
    assert.equal(plainLine('\u001b[31m✖\u001b[39m failed'), '✖ failed');
    assert.equal(plainLine('10 %\r50 %\r100 %\r'), '100 %');
    assert.equal(plainLine('\u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007'), 'link');
    assert.equal(plainLine('a\u0000b\u0008c'), 'abc');
    assert.ok(plainLine('x'.repeat(1e6)).length <= 4_000);
  });
  test('search finds without regard to case', () => {
    const reader = createLineReader();
    const lines = reader.push('=== test\nPASS a\nfail b\nPass c\n');
    assert.deepEqual(search(lines, 'pass'), [1, 3]);
    assert.deepEqual(search(lines, '  '), []);
    assert.deepEqual(
      lines.map((line) => line.heading),
      [true, false, false, false],
    );
  });
});

describe('predicates', () => {
  test('whatever a predicate holds, reading it gives texts', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const evidence = artifactOf().evidence.map((item) => ({
          ...item,
          predicate: { components: value, reports: value } as Record<string, unknown>,
        }));
        for (const component of componentsOf(evidence)) assert.equal(typeof component.name, 'string');
        testsOf(evidence);
      }),
    );
  });
});

test('what a promotion brings, and a rollback takes away', () => {
  const numbers = (change: ReturnType<typeof changesBetween>) => [
    change.brings.map((one) => one.number),
    change.takesAway.map((one) => one.number),
  ];
  assert.deepEqual(numbers(changesBetween(RELEASES, 11, 14)), [[14, 13, 12], []]);
  assert.deepEqual(numbers(changesBetween(RELEASES, 14, 12)), [[], [14, 13]]);
  assert.deepEqual(numbers(changesBetween(RELEASES, null, 13)), [[13], []]);
  assert.deepEqual(numbers(changesBetween(RELEASES, 13, 13)), [[], []]);
});
