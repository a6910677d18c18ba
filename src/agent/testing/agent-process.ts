import { join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import { createLogger } from '../../platform/log.ts';
import { runAgent } from '../agent.ts';
import { TOKEN } from './host.ts';
import { layoutRegistry } from './layout-registry.ts';

// The agent as a process of its own, for tests: the first argument is the data directory; prints the control port.
const directory = process.argv[2]!;
const agent = await runAgent({
  dataDirectory: directory,
  control: { host: '127.0.0.1', port: 0 },
  token: TOKEN,
  registry: layoutRegistry(join(directory, 'registry')),
  clock: systemClock,
  log: createLogger('agent', process.env.SLIPWAY_LOG ?? 'silent'),
});
process.stdout.write(`${agent.controlPort}\n`);
process.on('SIGTERM', () => agent.close());
await agent.closed;
process.exit(0);
