import { SlipwayError } from '../../../kernel/errors.ts';
import { cleanName, MAX_NAMES, MAX_TESTS, type TestCounts } from './types.ts';

const MAX_DEPTH = 64;
const MAX_TAG = 1024 * 1024;

interface OpenCase {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  depth: number;
}

/**
 * JUnit XML as the common runners write it: each `testcase` is one test, failed when it holds `failure` or `error`,
 * skipped when it holds `skipped`. A scanner of tags, not an XML processor: no document type is allowed, so there are no
 * entities to expand; text is passed over; depth and counts are bounded. Throws `invalid_input` on what is no such report.
 */
export function parseJunit(text: string): TestCounts {
  const counts = { passed: 0, failed: 0, skipped: 0, failedNames: [] as string[] };
  let depth = 0;
  let tests = 0;
  let seenRoot = false;
  let open: OpenCase | null = null;
  const close = () => {
    if (!open) return;
    counts[open.outcome]++;
    if (open.outcome === 'failed' && counts.failedNames.length < MAX_NAMES)
      counts.failedNames.push(open.name);
    open = null;
  };
  for (const tag of scanTags(text)) {
    if (tag.kind !== 'close') {
      if (depth === 0 && !seenRoot) assertRoot(tag.name);
      seenRoot = true;
      if (tag.name === 'testcase') {
        close();
        if (++tests > MAX_TESTS) throw refuse(`holds more than ${MAX_TESTS} tests`, 'payload_too_large');
        open = { name: caseName(tag.attributes), outcome: 'passed', depth };
      } else if (open && (open as OpenCase).depth === depth - 1) {
        const current: OpenCase = open;
        if (tag.name === 'failure' || tag.name === 'error') current.outcome = 'failed';
        else if (tag.name === 'skipped' && current.outcome === 'passed') current.outcome = 'skipped';
      }
    }
    if (tag.kind === 'open' && ++depth > MAX_DEPTH) throw refuse(`is nested deeper than ${MAX_DEPTH}`);
    if (tag.kind === 'close' && --depth < 0) throw refuse('closes more than it opens');
    if (tag.name === 'testcase' && tag.kind !== 'open') close();
  }
  if (!seenRoot) throw refuse('is empty');
  if (depth !== 0) throw refuse('ends in the middle');
  return counts;
}

interface Tag {
  kind: 'open' | 'close' | 'empty';
  name: string;
  attributes: string;
}

function* scanTags(text: string): Generator<Tag> {
  let at = 0;
  for (;;) {
    const start = text.indexOf('<', at);
    if (start < 0) return;
    const skipped = skipMarkup(text, start);
    if (skipped !== null) {
      at = skipped;
      continue;
    }
    const end = tagEnd(text, start + 1);
    const inner = text.slice(start + 1, end);
    at = end + 1;
    const name = /^\/?\s*([A-Za-z_][\w.:-]{0,100})/.exec(inner)?.[1];
    if (name === undefined) throw refuse(`has a malformed tag at character ${start + 1}`);
    const kind = inner.startsWith('/') ? 'close' : inner.endsWith('/') ? 'empty' : 'open';
    yield { kind, name: name.slice(name.indexOf(':') + 1), attributes: inner };
  }
}

/** The end of a comment, CDATA section or processing instruction that starts here; null when it is a tag. */
function skipMarkup(text: string, start: number): number | null {
  const kinds = [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<?', '?>'],
  ] as const;
  for (const [from, to] of kinds) {
    if (!text.startsWith(from, start)) continue;
    const end = text.indexOf(to, start + from.length);
    if (end < 0) throw refuse('ends in the middle');
    return end + to.length;
  }
  if (text.startsWith('<!', start)) throw refuse('declares a document type, which is not allowed');
  return null;
}

/** Where the tag ends: the first `>` outside of quotes. */
function tagEnd(text: string, from: number): number {
  let quote = '';
  const limit = Math.min(text.length, from + MAX_TAG);
  for (let i = from; i < limit; i++) {
    const character = text.charAt(i);
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (character === '>') {
      return i;
    }
  }
  throw refuse('ends in the middle');
}

function caseName(attributes: string): string {
  const suite = attribute(attributes, 'classname');
  const name = attribute(attributes, 'name');
  return cleanName(suite && suite !== name ? `${suite} ${name}` : name);
}

function attribute(text: string, name: string): string {
  const match = new RegExp(`\\s${name}\\s*=\\s*("([^"]*)"|'([^']*)')`).exec(text);
  return decodeText(match?.[2] ?? match?.[3] ?? '');
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** The five predefined entities and character numbers; anything else stays as it is written. */
function decodeText(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]{2,4}));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[String(name)] ?? whole;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function assertRoot(name: string): void {
  if (name === 'testsuites' || name === 'testsuite') return;
  throw refuse(`starts with <${name}>, not <testsuites>`);
}

function refuse(why: string, code: 'invalid_input' | 'payload_too_large' = 'invalid_input'): SlipwayError {
  return new SlipwayError(code, `the JUnit report ${why}`, {
    hint: 'does the step write JUnit XML to this file?',
  });
}
