/** Bytes `start` to `end` as text, one character a byte: HTTP/1.x heads have no other encoding. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return buffer.toString('latin1', start, end);
}
