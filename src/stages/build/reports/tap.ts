import { SlipwayError } from '../../../kernel/errors.ts';
import { cleanName, MAX_NAMES, MAX_TESTS, type TestCounts } from './types.ts';

interface Point {
  ok: boolean;
  indent: number;
  name: string;
  directive: string;
}

/**
 * TAP 12 to 14, nested subtests included. Counted are the leaves: a test point that closes a subtest summarizes the points
 * above it with a deeper indent, so it counts only when it failed while all of those passed. `# TODO` never fails,
 * `# SKIP` is skipped. A plan with more tests than points, and `Bail out!`, count as failures.
 */
export function parseTap(text: string): TestCounts {
  const tally = startTally();
  let points = 0;
  let yaml: number | null = null;
  for (const line of text.split('\n')) {
    const indent = line.length - line.trimStart().length;
    const content = line.trim();
    if (yaml !== null) {
      if (content === '...' && indent === yaml) yaml = null;
      continue;
    }
    if (content === '---') {
      yaml = indent;
      continue;
    }
    const plan = /^1\.\.(\d{1,9})\b/.exec(content);
    if (plan) tally.plan(indent, Number(plan[1]));
    if (/^Bail out!/.test(content)) tally.fail(content);
    const point = parsePoint(content, indent);
    if (!point) continue;
    if (++points > MAX_TESTS) {
      throw new SlipwayError('payload_too_large', `the TAP report holds more than ${MAX_TESTS} tests`);
    }
    tally.point(point);
  }
  const { counts, plannedNone } = tally.end();
  if (points === 0 && !plannedNone) {
    const hint = 'does the step write TAP to this file?';
    throw new SlipwayError('invalid_input', 'the TAP report holds no test', { hint });
  }
  return counts;
}

/** The points of one indent since the last point with a smaller one. */
interface Group {
  indent: number;
  points: number;
  failed: number;
  plan: number | null;
}

function startTally() {
  const counts = { passed: 0, failed: 0, skipped: 0, failedNames: [] as string[] };
  let open: Group[] = [];
  const fail = (name: string) => {
    counts.failed++;
    if (counts.failedNames.length < MAX_NAMES) counts.failedNames.push(cleanName(name));
  };
  const groupAt = (indent: number): Group => {
    const found = open.find((group) => group.indent === indent);
    if (found) return found;
    const made = { indent, points: 0, failed: 0, plan: null };
    open.push(made);
    return made;
  };
  /** Ends groups: planned tests that did not run have failed. */
  const close = (groups: readonly Group[]): { points: number; failed: number } => {
    const total = { points: 0, failed: 0 };
    for (const group of groups) {
      const missing = Math.max(0, (group.plan ?? 0) - group.points);
      if (missing > 0) fail(`${missing} planned tests did not run`);
      total.points += group.points;
      total.failed += group.failed + missing;
    }
    return total;
  };
  return {
    fail,
    plan(indent: number, tests: number) {
      groupAt(indent).plan = tests;
    },
    point({ ok, indent, name, directive }: Point) {
      const below = close(open.filter((group) => group.indent > indent));
      open = open.filter((group) => group.indent <= indent);
      const failed = !ok && directive === '';
      const group = groupAt(indent);
      group.points++;
      if (failed) group.failed++;
      if (below.points > 0 && (!failed || below.failed > 0)) return;
      if (failed) fail(name);
      else if (directive === 'SKIP' || (directive === 'TODO' && !ok)) counts.skipped++;
      else counts.passed++;
    },
    end() {
      close(open);
      return { counts, plannedNone: open.some((group) => group.plan === 0) };
    },
  };
}

function parsePoint(content: string, indent: number): Point | null {
  const match = /^(not )?ok\b(?: +\d{1,9}\b)?(.*)$/.exec(content);
  if (!match) return null;
  const rest = match[2] ?? '';
  const directive = /(?:^|\s)#\s*(skip|todo)\b/i.exec(rest);
  const name = (directive ? rest.slice(0, directive.index) : rest).replace(/^\s*-?\s*/, '');
  return { ok: match[1] === undefined, indent, name, directive: directive?.[1]?.toUpperCase() ?? '' };
}
