import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { ensureBuilt } from './built.ts';
import { launchChromium } from './chromium.ts';
import { type Api, apiOf, FULL } from './fixtures/api.ts';
import { type Site, startSite } from './site.ts';

/** A loaded machine is slow, a broken page never comes. */
export const PATIENCE_MS = 15_000;

const SIZE: readonly [number, number] = [1440, 900];

export interface Opened {
  page: Page;
  site: Site;
  /** Console errors, uncaught errors and policy violations so far. */
  problems: string[];
}

export interface Harness {
  /** A site with this API and a fresh browser profile on it. */
  open(options?: {
    api?: Api | Parameters<typeof apiOf>[0];
    path?: string;
    scheme?: 'light' | 'dark';
    size?: readonly [width: number, height: number];
  }): Promise<Opened>;
  /** Another tab of the same profile. */
  tab(opened: Opened, path: string): Promise<Page>;
}

/** One Chromium for a test file; pages and sites are closed after each use of `done`. */
export function createHarness(): Harness {
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  const sites: Site[] = [];
  before(async () => {
    await ensureBuilt();
    browser = await launchChromium();
  });
  after(async () => {
    for (const context of contexts) await context.close();
    await browser.close();
    for (const site of sites) await site.close();
  });
  return {
    async open({ api = FULL, path = '/', scheme = 'light', size = SIZE } = {}) {
      const site = await startSite(typeof api === 'function' ? api : apiOf(api));
      sites.push(site);
      const context = await browser.newContext({
        viewport: { width: size[0], height: size[1] },
        colorScheme: scheme,
        timezoneId: 'Europe/Madrid',
      });
      contexts.push(context);
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const problems = watch(page);
      await page.goto(`${site.url}${path}`);
      return { page, site, problems };
    },
    async tab({ page, site }, path) {
      const other = await page.context().newPage();
      other.setDefaultTimeout(PATIENCE_MS);
      await other.goto(`${site.url}${path}`);
      return other;
    },
  };
}

function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    // The browser itself notes every answer of 400 and above; the tests that ask for errors get them.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  return problems;
}

interface Violation {
  id: string;
  nodes: { target: unknown[]; failureSummary?: string }[];
}

/** axe with the rules of WCAG 2.2 A and AA; names what is wrong and where. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  // What the sticky bar covers half is not too small: it is judged where one would scroll it to.
  await page.evaluate('scrollTo(0, 0)');
  await page.evaluate(axe.source);
  const violations = (await page.evaluate(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((r) => r.violations)",
  )) as Violation[];
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map((node) => `${id} at ${JSON.stringify(node.target)}: ${node.failureSummary ?? ''}`),
  );
  assert.deepEqual(found, [], what);
}

/** Polls until `check` holds. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
