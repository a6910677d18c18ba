import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

const SHOWN = 12;
const WORTH_SAYING_MS = 5_000;

/** A reporter that names the slowest files at the end. node:test takes a reporter as the default export of its file. */
export default async function* slowest(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files = new Map<string, number>();
  for await (const event of events) {
    if (event.type !== 'test:complete' || event.data.nesting !== 0) continue;
    const { file, details } = event.data;
    if (file) files.set(file, (files.get(file) ?? 0) + details.duration_ms);
  }
  const slow = [...files].filter(([, ms]) => ms > WORTH_SAYING_MS).sort((a, b) => b[1] - a[1]);
  for (const [file, ms] of slow.slice(0, SHOWN))
    yield `slow: ${(ms / 1_000).toFixed(1)} s ${relative(process.cwd(), file)}\n`;
}
