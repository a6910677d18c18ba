import type { ByteRange } from '../../platform/blobs/store.ts';

export type RangeAnswer = { kind: 'whole' } | { kind: 'part'; range: ByteRange } | { kind: 'unsatisfiable' };

const WHOLE: RangeAnswer = { kind: 'whole' };

/**
 * Judges a `Range` header for a body of `size` bytes (RFC 9110, 14.2). Other units, several ranges and malformed headers
 * are ignored, as the RFC allows; a range that starts beyond the end is unsatisfiable.
 */
export function parseRange(header: string | undefined, size: number): RangeAnswer {
  const match = header === undefined ? null : /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (!match) return WHOLE;
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  if (first === '') {
    if (last === '') return WHOLE;
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: 'unsatisfiable' } : part(size - length, size - 1);
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return WHOLE;
  return start >= size ? { kind: 'unsatisfiable' } : part(start, end);
}

function part(start: number, end: number): RangeAnswer {
  return { kind: 'part', range: { start, end } };
}

/** `Content-Range` of an upload's chunk, `<first>-<last>` as OCI writes it (the HTTP form is understood too); null if malformed. */
export function parseContentRange(header: string): ByteRange | null {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header.trim());
  if (!match) return null;
  const [start, end] = [Number(match[1]), Number(match[2])];
  return end < start ? null : { start, end };
}

/** The `Range` header that says how much of an upload has arrived. OCI has no form for "nothing": `0-0`, as others write it. */
export function uploadRange(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}
