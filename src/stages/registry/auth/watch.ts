import type { Exchange } from '../exchange.ts';
import { mayAny, sourceOf } from '../exchange.ts';
import type { RegistryAction } from '../plan.ts';

const WATCH_MS = 1_000;
/** A stream whose right could not be confirmed for so long is cut. */
const UNCONFIRMED_MAX_MS = 5_000;

/**
 * Asks again and again, while bytes flow, whether the caller still may; when not, the connection is cut. With the cache of
 * identities a revoked credential ends its streams within about 3 seconds. Call the result when the bytes are through.
 */
export function watchAccess(
  exchange: Exchange,
  actions: readonly RegistryAction[],
  repository: string,
): () => void {
  let confirmedAtMs = Date.now();
  let asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    try {
      const principal = await exchange.identifier.principal(exchange.credential, sourceOf(exchange.request));
      if (principal && mayAny({ ...exchange, principal }, actions, repository)) confirmedAtMs = Date.now();
      else confirmedAtMs = 0;
    } catch {
      // Not known now: counts as unconfirmed.
    }
    asking = false;
  };
  const timer = setInterval(() => {
    void ask();
    if (Date.now() - confirmedAtMs <= UNCONFIRMED_MAX_MS) return;
    clearInterval(timer);
    exchange.request.socket.destroy();
  }, WATCH_MS);
  timer.unref();
  return () => clearInterval(timer);
}
