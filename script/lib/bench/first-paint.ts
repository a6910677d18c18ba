import { launchChromium } from '../../../test/web/chromium.ts';
import { median, withInstallation } from './installation.ts';

/** `node script/lib/bench/first-paint.ts [rounds]`: the home page with a cold cache each time, over loopback. */
const ROUNDS = Number(process.argv[2] ?? 10);

interface Paint {
  firstPaintMs: number;
  largestPaintMs: number;
  scriptBytes: number;
}

/** Runs in the page, where the browser's own types are not known to this file; waits half a second after the last paint. */
const MEASURE = `new Promise((resolve) => {
  let largest = 0;
  let timer = setTimeout(done, 3000);
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) largest = entry.startTime;
    clearTimeout(timer);
    timer = setTimeout(done, 500);
  }).observe({ type: 'largest-contentful-paint', buffered: true });
  function done() {
    resolve({
      firstPaintMs: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
      largestPaintMs: largest,
      scriptBytes: performance.getEntriesByType('resource')
        .filter((entry) => entry.name.endsWith('.js'))
        .reduce((sum, entry) => sum + entry.transferSize, 0),
    });
  }
})`;

const paints = await withInstallation(async ({ api }) => {
  const browser = await launchChromium();
  try {
    const found: Paint[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const context = await browser.newContext();
      await context.addCookies([
        { name: 'slipway_session', value: api.token, url: api.url, httpOnly: true, sameSite: 'Strict' },
      ]);
      const page = await context.newPage();
      await page.goto(api.url, { waitUntil: 'load' });
      found.push(await page.evaluate(MEASURE));
      await context.close();
    }
    return found;
  } finally {
    await browser.close();
  }
});
const of = (member: keyof Paint) => Math.round(median(paints.map((paint) => paint[member])));
console.log(`first contentful paint: ${of('firstPaintMs')} ms median of ${paints.length}`);
console.log(`largest contentful paint: ${of('largestPaintMs')} ms (budget 2500 ms)`);
console.log(`JavaScript of the home page: ${(of('scriptBytes') / 1024).toFixed(0)} KiB as sent`);
process.exit(0);
