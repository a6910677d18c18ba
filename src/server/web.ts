import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const DIST = [new URL('../../web/dist', import.meta.url), new URL('../../web', import.meta.url)].map((url) =>
  fileURLToPath(url),
);

/** The built web UI; every path that is no file and no endpoint is the app itself, which knows its own pages. */
export async function serveWeb(app: FastifyInstance): Promise<void> {
  const root = DIST.find((path) => existsSync(`${path}/index.html`) && existsSync(`${path}/assets`));
  if (root === undefined) return;
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    index: false,
    cacheControl: false,
    // Only names under assets/ carry a hash of what they hold; everything else is asked for again.
    setHeaders: (reply, path) => {
      const hashed = path.startsWith(join(root, 'assets'));
      reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  const page = async (_request: unknown, reply: { sendFile(name: string, options: object): unknown }) =>
    reply.sendFile('index.html', {});
  for (const path of [
    '/',
    '/services/*',
    '/rollouts/*',
    '/rollouts',
    '/releases/*',
    '/artifacts/*',
    '/builds/*',
    '/approvals',
    '/ledger',
    '/ledger/*',
    '/login',
    '/policies',
    '/why',
  ])
    app.get(path, page as never);
}
