import type { FastifyInstance } from 'fastify';
import type { RegistryDeps } from './deps.ts';
import { createRegistryHandler } from './handler.ts';
import { sweepUploads } from './store/uploads.ts';

const SWEEP_INTERVAL_MS = 10 * 60_000;

/**
 * Mounts the registry under `/v2` of a fastify app. Hooks of the app that run before (Host check, request ids) still do; from
 * there on the registry speaks on the raw connection, so that fastify neither parses nor limits bodies. Uploads left
 * behind are swept while the app is up.
 */
export async function registerRegistry(app: FastifyInstance, deps: RegistryDeps): Promise<void> {
  const handle = createRegistryHandler(deps);
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      reply.hijack();
      await handle(request.raw, reply.raw);
    });
    for (const url of ['/v2', '/v2/', '/v2/*']) scope.all(url, async () => {});
    const sweep = () =>
      sweepUploads(deps.database, deps.blobs, deps.clock.nowMs()).catch((error: unknown) => {
        deps.log.warn({ err: error }, 'uploads left behind could not be swept');
      });
    const timer = setInterval(() => void sweep(), SWEEP_INTERVAL_MS);
    timer.unref();
    scope.addHook('onClose', async () => clearInterval(timer));
  });
}
