import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A small service in a git repository: one file, no dependency, so that a build takes less than a second. */
export interface ScratchService {
  name: string;
  repository: string;
  /** Commits the next version (1, 2, 3 …) and gives its commit id. The service says its version in `x-version`. */
  commit(change?: { files?: Readonly<Record<string, string>> }): Promise<{ sha: string; version: number }>;
}

export async function createService(
  home: string,
  name: string,
  options: { yaml?: string } = {},
): Promise<ScratchService> {
  const repository = join(home, `repository-${name}`);
  await mkdir(repository, { recursive: true });
  await git(repository, ['init', '--quiet', '--initial-branch=main', '--template=']);
  let version = 0;
  return {
    name,
    repository,
    async commit({ files = {} } = {}) {
      version++;
      const tree = {
        'slipway.yaml': options.yaml ?? serviceYaml(name),
        'server.mjs': serverSource(version),
        ...files,
      };
      for (const [path, content] of Object.entries(tree)) {
        await mkdir(dirname(join(repository, path)), { recursive: true });
        await writeFile(join(repository, path), content);
      }
      await git(repository, ['add', '--all']);
      await git(repository, [
        'commit',
        '--quiet',
        '--no-verify',
        '--allow-empty',
        `--message=version ${version}`,
      ]);
      return { sha: (await git(repository, ['rev-parse', 'HEAD'])).trim(), version };
    },
  };
}

async function git(directory: string, args: readonly string[]): Promise<string> {
  const identity = { NAME: 'Ada', EMAIL: 'ada@example.org', DATE: '2026-01-01T00:00:00Z' };
  const env = Object.fromEntries(
    Object.entries(identity).flatMap(([key, value]) => [
      [`GIT_AUTHOR_${key}`, value],
      [`GIT_COMMITTER_${key}`, value],
    ]),
  );
  const { stdout } = await run(
    'git',
    ['-c', 'commit.gpgSign=false', '-c', 'core.hooksPath=/dev/null', ...args],
    {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', HOME: directory, ...env },
    },
  );
  return stdout;
}

export function serviceYaml(name: string, step = TEST_STEP): string {
  return `apiVersion: slipway.dev/v1
kind: Service
name: ${name}
build:
  steps:
    - name: test
      ${step}
  image:
    layers:
      - from: [server.mjs]
    entrypoint: [node, server.mjs]
run:
  instances: { dev: 1, held: 1, default: 2 }
  readiness: { path: /readyz, period: 100ms }
  startTimeout: 20s
  stopGrace: 3s
`;
}

const TEST_STEP = `run: mkdir -p reports && printf 'TAP version 13\\n1..1\\nok 1 - serves\\n' > reports/test.tap
      outputs: [reports]
      report: { format: tap, path: reports/test.tap }`;

/** Answers every path with its version; `/slow` takes 300 ms, so that requests are under way when something ends. */
function serverSource(version: number): string {
  return `import { createServer } from 'node:http';
const server = createServer((request, response) => {
  response.setHeader('x-version', '${version}');
  response.setHeader('x-instance', process.env.SLIPWAY_INSTANCE ?? '');
  const answer = () => response.end('version ${version}\\n');
  if (request.url === '/slow') setTimeout(answer, 300);
  else answer();
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`;
}
