/** A service that builds in a moment: one file, no dependencies. Its versions differ in what they answer. */
const SERVER = (version: number) => `import { createServer } from 'node:http';
const server = createServer((_, response) => response.end('version ${version}\\n'));
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('version ${version} listens'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`;

const CHECK = `const source = require('node:fs').readFileSync('server.js', 'utf8');
if (!source.includes('version')) { console.log('server.js has no version'); process.exitCode = 1; }
`;

const CONFIG = `apiVersion: slipway.dev/v1
kind: Service
name: corner
owner: storefront
build:
  steps:
    - name: check
      run: node check.js && mkdir -p out && cp server.js out/server.mjs
      outputs: [out]
  image:
    layers:
      - { name: app, from: [out] }
    entrypoint: [node, out/server.mjs]
    ports: [8080]
run:
  instances: { default: 1 }
  readiness: { path: /, period: 100ms }
`;

/** Files and message of each commit; the third does not build. */
export const VERSIONS: readonly { files: Record<string, string>; message: string }[] = [
  {
    files: { 'slipway.yaml': CONFIG, 'check.js': CHECK, 'server.js': SERVER(1) },
    message: 'Open the corner shop',
  },
  { files: { 'server.js': SERVER(2) }, message: 'Sell on Sundays' },
  { files: { 'server.js': '// nothing yet\n' }, message: 'Break the till' },
];
