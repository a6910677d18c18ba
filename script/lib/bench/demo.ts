import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DemoReport } from '../demo/report.ts';

/** `node script/lib/bench/demo.ts [--last]`: runs the demo once (or reads what its last run left) and tells its times. */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
if (!process.argv.includes('--last')) {
  const { status } = spawnSync(join(ROOT, 'script/demo'), ['--once'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
}
const text = await readFile(join(ROOT, 'demo-report.json'), 'utf8').catch(() => null);
if (text === null) {
  console.log('no demo has run yet: script/demo --once');
  process.exit(0);
}
const { seconds, versions, load } = JSON.parse(text) as DemoReport;
const cell = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)} s`).padStart(9);
console.log(
  `${'version'.padEnd(12)}${['build', 'dev', 'staging', 'prod'].map((name) => name.padStart(9)).join('')}  outcome`,
);
for (const { version, stages, outcome } of versions)
  console.log(
    `${version.padEnd(12)}${[stages.build, stages.dev, stages.staging, stages.prod].map(cell).join('')}  ${outcome}`,
  );
for (const { version, firstBadToZeroMs, failed } of versions)
  if (firstBadToZeroMs !== null)
    console.log(
      `${version}: ${(firstBadToZeroMs / 1000).toFixed(1)} s from its first failed answer to no traffic, ${failed} failed`,
    );
console.log(
  `whole demo ${seconds.toFixed(0)} s; ${load.requests} requests at ${load.rps}/s, ${load.lost} lost to shifting traffic`,
);
