// A registry as a process of its own, for tests that kill it: `node testing-child.ts <database url> <blob directory>`.
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { openDiskStore } from '../../platform/blobs/disk.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLogger } from '../../platform/log.ts';
import { openDatabase } from '../../platform/postgres/database.ts';
import { registerRegistry } from './register.ts';

const [databaseUrl, directory] = process.argv.slice(2) as [string, string];
const app = fastify();
await registerRegistry(app, {
  database: openDatabase(databaseUrl),
  blobs: openDiskStore(directory),
  clock: systemClock,
  log: createLogger('registry-child', 'error'),
  authenticate: async () => ({ actor: 'token:admin', roles: [] }),
  allowed: () => true,
  append: async () => {},
});
await app.listen({ host: '127.0.0.1', port: 0 });
console.log(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
// Ends with the test that started it.
process.stdin.on('end', () => process.exit(0)).resume();
