import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { BuildConfig, BuildStepConfig, ImageConfig, ServiceConfig } from '../../kernel/config.ts';
import { type Digest, sha256 } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { systemClock } from '../../platform/clock.ts';
import { exportTree } from '../../platform/git/export.ts';
import { openGit } from '../../platform/git/git.ts';
import { fetchMirror, mirrorOf } from '../../platform/git/mirror.ts';
import { type TestRepository, testRepository } from '../../platform/git/testing.ts';
import { createLogger } from '../../platform/log.ts';
import { MEDIA, type RegistryClient } from '../../platform/oci/types.ts';
import { testDatabase } from '../../platform/postgres/testing.ts';
import { detectSandbox } from '../../platform/process/detect.ts';
import type { SandboxKind } from '../../platform/process/sandbox.ts';
import { findToolchain } from '../../platform/process/toolchain.ts';
import { runBuild } from './apply.ts';
import type { BuildDeps, BuildEntry } from './deps.ts';
import { lastChanged } from './last-changed.ts';
import type { BuildOutcome } from './report.ts';
import { insertBuild } from './store.ts';

/** A registry that is a directory; counts what it is sent. */
export interface DirectoryRegistry extends RegistryClient {
  directory: string;
  uploads: string[];
  tags: Map<string, Digest>;
}

export async function directoryRegistry(directory: string): Promise<DirectoryRegistry> {
  await mkdir(directory, { recursive: true });
  const path = (digest: string) => join(directory, digest.replace(':', '-'));
  const uploads: string[] = [];
  const tags = new Map<string, Digest>();
  const missing = (digest: string) => new SlipwayError('image_missing', `the registry has no ${digest}`);
  return {
    directory,
    uploads,
    tags,
    hasBlob: (_, digest) =>
      stat(path(digest)).then(
        () => true,
        () => false,
      ),
    async putBlob(_, digest, content) {
      const bytes = Buffer.isBuffer(content) ? content : await buffer(content.open());
      if (sha256(bytes) !== digest) throw new SlipwayError('digest_mismatch', 'other bytes');
      uploads.push(digest);
      await writeFile(path(digest), bytes);
    },
    openBlob: async (_, digest) => createReadStream(path(digest)),
    getBlob: (_, digest) =>
      readFile(path(digest)).catch(() => {
        throw missing(digest);
      }),
    async putManifest(_, reference, __, bytes) {
      const digest = sha256(bytes);
      await writeFile(path(digest), bytes);
      if (reference.startsWith('sha256:')) return digest;
      const tagged = tags.get(reference);
      if (tagged && tagged !== digest) throw new SlipwayError('tag_immutable', `${reference} is ${tagged}`);
      tags.set(reference, digest);
      return digest;
    },
    async getManifest(_, reference) {
      const digest = tags.get(reference) ?? (reference as Digest);
      const bytes = await readFile(path(digest)).catch(() => {
        throw missing(digest);
      });
      return { mediaType: MEDIA.imageManifest, digest, bytes };
    },
    referrers: async () => [],
  };
}

export const STEP: BuildStepConfig = {
  name: 'build',
  run: 'true',
  needs: [],
  network: false,
  inputs: [],
  outputs: [],
  env: {},
  cache: true,
  timeoutS: 30,
  retries: 0,
  report: null,
};

export const IMAGE: ImageConfig = {
  base: 'scratch',
  layers: [{ name: 'app', from: ['.'], to: '/app', exclude: [] }],
  entrypoint: ['node', 'server.js'],
  command: [],
  workdir: '/app',
  env: {},
  user: '65532:65532',
  ports: [],
  labels: {},
  compression: 'zstd',
};

export interface Workshop {
  deps: BuildDeps;
  repository: TestRepository;
  registry: DirectoryRegistry;
  entries: BuildEntry[];
  data: string;
  /** Commits the files; steps and image come with them, as slipway.yaml would. */
  commit(files: Record<string, string | Uint8Array | null>, build?: Partial<BuildConfig>): Promise<string>;
  create(commit: string, purpose?: 'release' | 'verify'): Promise<string>;
  build(commit: string, purpose?: 'release' | 'verify', signal?: AbortSignal): Promise<BuildOutcome>;
  logOf(id: string, step: string): Promise<string>;
  close(): Promise<void>;
}

/** A service with a real repository, database and data directory. */
export async function workshop(
  options: { sandbox?: SandboxKind; data?: string; repository?: TestRepository } = {},
): Promise<Workshop> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'slipway-build-')));
  const repository = options.repository ?? testRepository();
  const { database, close } = await testDatabase();
  const git = await openGit(join(data, 'repos'));
  const mirror = mirrorOf(git, 'shop');
  const registry = await directoryRegistry(join(data, 'registry'));
  const toolchain = findToolchain(process.env.PATH ?? '');
  const sandbox = await detectSandbox(
    { toolchain, hidden: [data] },
    options.sandbox ? [options.sandbox] : undefined,
  );
  const configs = new Map<string, BuildConfig>();
  const entries: BuildEntry[] = [];
  const deps: BuildDeps = {
    database,
    clock: systemClock,
    log: createLogger('test', 'silent'),
    dataDirectory: data,
    registry,
    sandbox,
    toolchain,
    exportTree: (_, sha, directory) => exportTree(git, mirror, sha, directory),
    lastChanged: (_, sha, paths) => lastChanged(git, mirror, sha, paths),
    loadConfig: async (_, sha) => ({ name: 'shop', build: configs.get(sha) }) as ServiceConfig,
    append: async (_, entry) => entries.push(entry),
    secrets: () => ['correct-horse-battery'],
    operatorEnv: {},
  };
  const sql = `insert into services (name, repository_url, branch, created_at) values ('shop', $1, 'main', now())`;
  await database.query(sql, [repository.url]);
  const self: Workshop = {
    deps,
    repository,
    registry,
    entries,
    data,
    async commit(files, build = {}) {
      const sha = repository.commit(files);
      await fetchMirror(git, mirror, repository.url);
      configs.set(sha, { steps: build.steps ?? [], image: build.image ?? IMAGE });
      const seconds = Number(repository.git('log', '-1', '--format=%ct', sha));
      await database.query(
        `insert into commits (service, sha, parent_shas, author, author_email, committed_at, message, signature, ref, seen_at)
         values ('shop', $1, '{}', 'Ada', 'ada@example.org', to_timestamp($2), 'A change', 'none', 'main', now())`,
        [sha, seconds],
      );
      return sha;
    },
    async create(commit, purpose = 'release') {
      const id = newId('bld', systemClock.nowMs(), systemClock.random);
      await insertBuild(database, {
        id,
        releaseId: null,
        service: 'shop',
        commit,
        purpose,
        atMs: systemClock.nowMs(),
      });
      return id;
    },
    async build(commit, purpose = 'release', signal = new AbortController().signal) {
      return runBuild(deps, await self.create(commit, purpose), signal);
    },
    async logOf(id, step) {
      const rows = await database.query<{ text: string }>(
        'select text from build_logs where build_id = $1 and step = $2 order by sequence',
        [id, step],
      );
      return rows.map(({ text }) => text).join('');
    },
    async close() {
      await close();
      repository.remove();
      await rm(data, { recursive: true, force: true });
    },
  };
  return self;
}
