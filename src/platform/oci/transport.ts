import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';

export interface OutgoingRequest {
  method: string;
  url: URL;
  headers: Record<string, string>;
  /** Opened anew for every attempt. */
  body?: Buffer | { open(): Readable; size: number };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read, or dropped with `drop`. */
  body: IncomingMessage;
  url: URL;
}

export type Transport = (request: OutgoingRequest) => Promise<Answer>;

/**
 * One HTTP exchange over kept-alive connections. `unreachable` when the connection fails, or when for `timeoutMs` nothing
 * moves on it. A connection that the other side had closed while it was idle is replaced without a word.
 */
export function createTransport(options: { timeoutMs: number; userAgent: string }): Transport {
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true }),
  };

  async function attempt(outgoing: OutgoingRequest): Promise<Answer> {
    try {
      return await exchange(outgoing);
    } catch (error) {
      if (error instanceof StaleConnection) return exchange(outgoing);
      throw error;
    }
  }

  function exchange({ method, url, headers, body }: OutgoingRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:';
      const length =
        body === undefined ? {} : { 'Content-Length': Buffer.isBuffer(body) ? body.length : body.size };
      const request = (secure ? https : http).request(url, {
        method,
        headers: { 'User-Agent': options.userAgent, ...headers, ...length },
        agent: secure ? agents['https:'] : agents['http:'],
      });
      let answered: IncomingMessage | null = null;
      let source: Readable | null = null;
      request.setTimeout(options.timeoutMs, () => {
        // A reader that takes its time is no fault of the registry.
        if (answered && (answered.isPaused() || answered.readableLength > 0)) return;
        request.destroy(new Error(`nothing came for ${options.timeoutMs} ms`));
      });
      request.on('response', (response) => {
        answered = response;
        // An answer before the body is through: the rest is not wanted.
        if (source && !source.readableEnded) {
          source.unpipe(request).destroy();
          response.once('end', () => request.destroy());
        }
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response, url });
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (answered) return;
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        source?.destroy();
        reject(stale ? new StaleConnection() : unreachable(url, error));
      });
      if (body === undefined || Buffer.isBuffer(body)) return void request.end(body);
      source = body.open();
      // A fault of the caller's stream is the caller's, as it is.
      source.on('error', (error) => {
        request.destroy();
        reject(error);
      });
      source.pipe(request);
    });
  }

  return attempt;
}

class StaleConnection extends SlipwayError {
  constructor() {
    super('unreachable', 'the registry closed the connection');
  }
}

export function unreachable(url: URL, cause: unknown): SlipwayError {
  const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
  return new SlipwayError('unreachable', `the registry ${url.host} cannot be reached: ${reason}`, {
    hint: 'Check that it runs and that its address is right; the call can be repeated.',
    cause,
  });
}

/** Reads an answer to its end; `payload_too_large` beyond `maxBytes`. */
export async function readAnswer({ body, url }: Answer, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new SlipwayError('payload_too_large', `${url.host} sent more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw isSlipwayError(error) ? error : unreachable(url, error);
  }
  return Buffer.concat(chunks);
}

/** Lets go of an answer whose body is of no interest, so that its connection can be used again. */
export function drop({ body }: Answer): void {
  body.on('error', () => {});
  body.resume();
}
