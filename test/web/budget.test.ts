import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ensureBuilt } from './built.ts';
import { FULL } from './fixtures/api.ts';
import { largeMatrix } from './fixtures/matrix.ts';
import { createHarness } from './harness.ts';
import { DIST } from './site.ts';

const SHELL_BUDGET = 220 * 1024;
/** What one page adds; the heaviest draws charts. */
const PAGE_BUDGET = 60 * 1024;

before(ensureBuilt);
const harness = createHarness();

const sizeOf = (name: string) => gzipSync(readFileSync(join(DIST, name))).length;

/** A script and what it imports at once; `import()` is for later. */
function withImports(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const source = readFileSync(join(DIST, name), 'utf8');
  for (const match of source.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g))
    withImports(`assets/${match[1]}`, seen);
  return seen;
}

test('the shell with the home page stays within 220 KiB of script, gzipped', () => {
  const html = readFileSync(join(DIST, 'index.html'), 'utf8');
  const scripts = [...html.matchAll(/(?:src|href)="\/([\w./-]+\.js)"/g)].map((match) => match[1] as string);
  const all = new Set(scripts.flatMap((name) => [...withImports(name)]));
  const total = [...all].reduce((sum, name) => sum + sizeOf(name), 0);
  assert.ok(total > 50 * 1024, `found the scripts: ${total}`);
  assert.ok(total <= SHELL_BUDGET, `${total} bytes in ${[...all].join(', ')}`);
});

test('no other script is heavy', () => {
  const shell = new Set(
    [...readFileSync(join(DIST, 'index.html'), 'utf8').matchAll(/assets\/[\w.-]+\.js/g)].flatMap(([name]) => [
      ...withImports(name),
    ]),
  );
  for (const file of readdirSync(join(DIST, 'assets')).filter((name) => name.endsWith('.js'))) {
    const name = `assets/${file}`;
    if (!shell.has(name)) assert.ok(sizeOf(name) <= PAGE_BUDGET, `${name}: ${sizeOf(name)}`);
  }
});

test('index.html has no inline script and names nothing outside itself', () => {
  const html = readFileSync(join(DIST, 'index.html'), 'utf8');
  for (const [tag, body] of [...html.matchAll(/<script\b([^>]*)>([^<]*)/g)].map(
    (match) => [match[1], match[2]] as const,
  )) {
    assert.match(tag ?? '', /\bsrc="\/[^/]/);
    assert.equal((body ?? '').trim(), '');
  }
  assert.doesNotMatch(html, /https?:\/\//);
});

/** Of a page with 10,000 cells on a slow machine, from the first byte to a drawn cell; the design asks 1.5 s of a usual one. */
const FIRST_CELL_MS = 6_000;
/** CLS as web vitals count it. */
const SHIFT = 0.1;

test('500 by 20: the first cells soon, and the layout does not jump when they come', async () => {
  const { page } = await harness.open({
    api: { ...FULL, 'GET /v1/matrix': () => ({ json: largeMatrix(500, 20) }) },
    path: '/rollouts',
  });
  await page.addInitScript(
    'globalThis.shift = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) globalThis.shift += e.value; }).observe({ type: "layout-shift", buffered: true })',
  );
  await page.goto(new URL('/', page.url()).href);
  await page.locator('[data-cell="service-001/env-01"]').waitFor();
  const drawn = (await page.evaluate('performance.now()')) as number;
  assert.ok(drawn < FIRST_CELL_MS, `${drawn} ms`);
  const shift = (await page.evaluate('globalThis.shift')) as number;
  assert.ok(shift <= SHIFT, `layout shift ${shift}`);
});
