import { STATUS_CODES } from 'node:http';

/**
 * A whole answer of the router itself, as problem+json (RFC 9457). `detail` is the router's own text, never the
 * client's bytes. `withBody` is false for HEAD.
 */
export function problemAnswer(
  status: number,
  detail: string,
  options: { withBody: boolean; close: boolean; retryAfterS?: number },
): string {
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ type: 'about:blank', title, status, detail });
  let text = `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n`;
  text += 'Cache-Control: no-store\r\n';
  if (options.retryAfterS !== undefined) text += `Retry-After: ${options.retryAfterS}\r\n`;
  if (options.close) text += 'Connection: close\r\n';
  return options.withBody ? `${text}\r\n${body}` : `${text}\r\n`;
}
