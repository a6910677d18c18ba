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
  const counts = { passed: 0, failed: 0, skipped: 0, failedNames: [] as string[] };
  const fail = (name: string) => {
    counts.failed++;
    if (counts.failedNames.length < MAX_NAMES) counts.failedNames.push(cleanName(name));
  };
  // By indent: points seen in the open group, failures among them, and the plan.
  let open: { indent: number; points: number; failed: number; plan: number | null }[] = [];
  let points = 0;
  let yaml: number | null = null;
  const groupAt = (indent: number) => {
    let group = open.find((candidate) => candidate.indent === indent);
    if (!group) {
      group = { indent, points: 0, failed: 0, plan: null };
      open.push(group);
    }
    return group;
  };
  const close = (groups: typeof open): { points: number; failed: number } => {
    let below = { points: 0, failed: 0 };
    for (const group of groups) {
      const missing = group.plan === null ? 0 : Math.max(0, group.plan - group.points);
      if (missing > 0) fail(`${missing} planned tests did not run`);
      below = { points: below.points + group.points, failed: below.failed + group.failed + missing };
    }
    return below;
  };
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
    if (plan) groupAt(indent).plan = Number(plan[1]);
    if (/^Bail out!/.test(content)) fail(content);
    const point = parsePoint(content, indent);
    if (!point) continue;
    if (++points > MAX_TESTS)
      throw new SlipwayError('payload_too_large', `the TAP report holds more than ${MAX_TESTS} tests`);
    const below = close(open.filter((group) => group.indent > indent));
    open = open.filter((group) => group.indent <= indent);
    const group = groupAt(indent);
    group.points++;
    const failed = !point.ok && point.directive !== 'TODO' && point.directive !== 'SKIP';
    if (failed) group.failed++;
    if (below.points > 0 && (!failed || below.failed > 0)) continue;
    if (failed) fail(point.name);
    else if (point.directive === 'SKIP' || (point.directive === 'TODO' && !point.ok)) counts.skipped++;
    else counts.passed++;
  }
  close(open);
  if (points === 0 && !open.some((group) => group.plan === 0)) {
    throw new SlipwayError('invalid_input', 'the TAP report holds no test', {
      hint: 'does the step write TAP to this file?',
    });
  }
  return counts;
}

function parsePoint(content: string, indent: number): Point | null {
  const match = /^(not )?ok\b(?: +\d{1,9}\b)?(.*)$/.exec(content);
  if (!match) return null;
  const rest = match[2] ?? '';
  const directive = /(?:^|\s)#\s*(skip|todo)\b/i.exec(rest);
  const name = (directive ? rest.slice(0, directive.index) : rest).replace(/^\s*-?\s*/, '');
  return { ok: match[1] === undefined, indent, name, directive: directive?.[1]?.toUpperCase() ?? '' };
}
