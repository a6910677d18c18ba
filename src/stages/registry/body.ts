import type { IncomingMessage } from 'node:http';
import { SlipwayError } from '../../kernel/errors.ts';
import { registryError } from './errors.ts';

/** A small body must come within this. */
const BODY_DEADLINE_MS = 60_000;

/** The whole body of a request; `payload_too_large` beyond `maxBytes`, before anything is read where the length is stated. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new SlipwayError('payload_too_large', `at most ${maxBytes} bytes are taken here`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const leave = (settle: () => void) => {
      clearTimeout(timer);
      request.pause();
      request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
      settle();
    };
    const gone = (status: number, message: string) =>
      registryError('MANIFEST_INVALID', message, { status, code: 'cancelled' });
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) leave(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const onEnd = () =>
      leave(() =>
        request.complete ? resolve(Buffer.concat(chunks)) : reject(gone(400, 'the body was cut off')),
      );
    const onGone = () => leave(() => reject(gone(400, 'the body was cut off')));
    const timer = setTimeout(
      () => leave(() => reject(gone(408, 'the body did not come in time'))),
      BODY_DEADLINE_MS,
    );
    request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}
