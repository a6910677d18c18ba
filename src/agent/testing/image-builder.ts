import { arch } from 'node:process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { type Descriptor, MEDIA, type RegistryClient } from '../../platform/oci/types.ts';

export type TestEntry = Partial<Header> & { name: string; content?: string | Buffer };

/** An uncompressed layer. */
export async function tarOf(entries: readonly TestEntry[]): Promise<Buffer> {
  const packing = pack();
  for (const { content, ...headers } of entries) packing.entry(headers, content ?? '');
  packing.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packing) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export interface TestImage {
  layers?: readonly Buffer[];
  compression?: 'gzip' | 'zstd' | 'none';
  entrypoint?: readonly string[];
  env?: readonly string[];
  workdir?: string;
  architecture?: string;
}

const TYPES = {
  gzip: MEDIA.layerTarGzip,
  zstd: MEDIA.layerTarZstd,
  none: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** Pushes an image to `registry`; gives its digest and the layers' descriptors. */
export async function pushImage(
  registry: RegistryClient,
  repository: string,
  image: TestImage,
): Promise<{ digest: Digest; layers: Descriptor[] }> {
  const { layers: tars = [], compression = 'gzip' } = image;
  const layers: Descriptor[] = [];
  for (const tar of tars) {
    const bytes =
      compression === 'gzip' ? gzipSync(tar) : compression === 'zstd' ? zstdCompressSync(tar) : tar;
    const digest = sha256(bytes);
    await registry.putBlob(repository, digest, bytes);
    layers.push({ mediaType: TYPES[compression], digest, size: bytes.length });
  }
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: image.architecture ?? (arch === 'x64' ? 'amd64' : arch),
      config: {
        Entrypoint: image.entrypoint ?? ['node', 'server.js'],
        Env: image.env ?? ['PATH=/usr/local/bin:/usr/bin', 'FROM_IMAGE=yes'],
        WorkingDir: image.workdir ?? '/app',
      },
      rootfs: { type: 'layers', diff_ids: tars.map((tar) => sha256(tar)) },
    }),
  );
  const configDigest = sha256(config);
  await registry.putBlob(repository, configDigest, config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.imageManifest,
      config: { mediaType: MEDIA.imageConfig, digest: configDigest, size: config.length },
      layers,
    }),
  );
  return { digest: await registry.putManifest(repository, 'test', MEDIA.imageManifest, manifest), layers };
}

/** A small service: `/healthz`, `/slow` (answers after 400 ms), `/env`, `/fds`, `/crash`, `/eat`; ends gracefully on SIGTERM. */
export const SERVER = `
const { createServer } = require('node:http');
const { readdirSync, readFileSync, readlinkSync, existsSync } = require('node:fs');
const hoard = [];
let ready = true;
const server = createServer((request, response) => {
  const path = request.url;
  if (path === '/healthz') { response.statusCode = ready ? 200 : 503; return response.end(); }
  if (path === '/unready') { ready = false; return response.end(); }
  if (path === '/ready') { ready = true; return response.end(); }
  if (path === '/slow') return setTimeout(() => response.setHeader('connection', 'close').end('slow but done'), 400);
  if (path === '/env') return response.end(JSON.stringify(process.env));
  if (path === '/cwd') return response.end(process.cwd());
  if (path === '/crash') process.exit(7);
  if (path === '/eat') { hoard.push(Buffer.alloc(200 * 1024 * 1024, 1)); return response.end(); }
  if (path === '/fds') return response.end(JSON.stringify(readdirSync('/proc/self/fd').map((fd) => {
    try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } })));
  if (path.startsWith('/exists?')) return response.end(String(existsSync(decodeURIComponent(path.slice(8)))));
  if (path === '/write') { try { require('node:fs').writeFileSync('added', 'x'); response.end('written'); } catch (error) { response.end(error.code); } return; }
  if (path === '/limits') return response.end(readFileSync('/proc/self/limits'));
  response.end(process.env.VERSION ?? 'hello');
});
server.listen(Number(process.env.PORT), process.env.HOST, () => console.log('listening as ' + process.pid));
process.on('SIGTERM', () => { console.log('stopping gracefully'); server.close(() => { console.log('stopped'); process.exit(0); }); server.closeIdleConnections(); });
`;

/** One layer with the server in /app. */
export function serverLayer(source = SERVER): Promise<Buffer> {
  return tarOf([
    { name: 'app', type: 'directory', mode: 0o755 },
    { name: 'app/server.js', content: source, mode: 0o644 },
  ]);
}
