import { performance } from 'node:perf_hooks';
import { ShopError } from './errors.js';

/** Largest request body, in bytes. */
export const BODY_LIMIT = 16_384;

export function sendText(response, status, type, text) {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

export function sendJson(response, status, value) {
  sendText(response, status, 'application/json', JSON.stringify(value));
}

export async function readJson(request) {
  const chunks = [];
  let size = 0;
  // The socket stays open when the loop is left early: the answer still has to reach the peer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new ShopError(413, `the body is larger than ${BODY_LIMIT} bytes`);
    chunks.push(chunk);
  }
  try {
    const value = JSON.parse(Buffer.concat(chunks).toString());
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {}
  throw new ShopError(400, 'the body must be a JSON object');
}

/** `/products/:id` matches one more segment, handed over decoded as `id`. */
function match(routes, method, pathname) {
  let known = false;
  for (const route of routes) {
    const parent = route.path.endsWith('/:id') ? route.path.slice(0, -3) : null;
    let id;
    if (parent === null ? pathname !== route.path : !pathname.startsWith(parent)) continue;
    if (parent !== null) {
      try {
        id = decodeURIComponent(pathname.slice(parent.length));
      } catch {
        throw new ShopError(400, 'the path is not well formed');
      }
      if (id === '' || id.includes('/')) continue;
    }
    known = true;
    if (route.method === method) return { route, id };
  }
  throw known
    ? new ShopError(405, 'this method is not allowed here')
    : new ShopError(404, 'there is no such page');
}

/** A request listener over the routes: counts, logs, and turns what is thrown into an answer. */
export function createListener({ routes, metrics, log, version, stopping = () => false }) {
  return async (request, response) => {
    const began = performance.now();
    let path = 'none';
    metrics.began();
    response.setHeader('x-shop-version', version);
    response.once('close', () => {
      const seconds = (performance.now() - began) / 1000;
      const status = response.writableFinished ? response.statusCode : 499;
      metrics.ended(path, status, seconds);
      log.debug('request', { route: path, status, ms: Number((seconds * 1000).toFixed(2)) });
    });
    // A stopping shop finishes what is under way and asks the peer for another connection next time.
    if (stopping()) response.setHeader('connection', 'close');
    try {
      const url = new URL(request.url, 'http://shop.invalid');
      const { route, id } = match(routes, request.method === 'HEAD' ? 'GET' : request.method, url.pathname);
      path = route.path;
      await route.handle(request, response, { id, query: url.searchParams });
    } catch (error) {
      fail(error, path, request, response, log);
    }
  };
}

function fail(error, path, request, response, log) {
  const known = error instanceof ShopError || error.code === 'ERR_INVALID_URL';
  if (!known)
    log.error('request failed', { route: path, method: request.method, error: error.stack ?? String(error) });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // The rest of an unread body would be taken for the next request.
  if (!request.complete && request.method !== 'GET') response.setHeader('connection', 'close');
  const status = error.code === 'ERR_INVALID_URL' ? 400 : (error.status ?? 500);
  sendJson(response, status, { error: known ? error.message : 'something went wrong' });
}
