import { isPrintable, type ProjectFiles } from './files.ts';

/** What any project may tell: a Dockerfile, health endpoints in the source. */

export interface DockerHints {
  ports: number[];
  /** In exec form only: a shell form needs a shell, and says little. */
  command: string[] | null;
}

export async function dockerHints(files: ProjectFiles): Promise<DockerHints> {
  const text = (await files.read('Dockerfile')) ?? '';
  const ports: number[] = [];
  let entrypoint: string[] = [];
  let command: string[] = [];
  for (const line of text.replace(/\\\r?\n/g, ' ').split('\n')) {
    const [, instruction = '', rest = ''] = /^\s*([A-Za-z]+)\s+(.*)$/.exec(line) ?? [];
    switch (instruction.toUpperCase()) {
      case 'EXPOSE':
        for (const [, port] of rest.matchAll(/\b(\d{1,5})(?:\/tcp)?\b/g)) {
          if (Number(port) >= 1 && Number(port) <= 65_535) ports.push(Number(port));
        }
        break;
      case 'ENTRYPOINT':
        entrypoint = execForm(rest);
        break;
      case 'CMD':
        command = execForm(rest);
        break;
      case 'FROM':
        entrypoint = [];
        command = [];
        break;
    }
  }
  const whole = [...entrypoint, ...command];
  return { ports: [...new Set(ports)].slice(0, 10), command: whole.length > 0 ? whole : null };
}

function execForm(text: string): string[] {
  try {
    const words: unknown = JSON.parse(text.trim());
    const isWord = (word: unknown) => typeof word === 'string' && word !== '' && isPrintable(word);
    return Array.isArray(words) && words.length <= 100 && words.every(isWord) ? words : [];
  } catch {
    return [];
  }
}

/** The best first: readiness says more than health, health more than liveness. */
const ENDPOINTS = [
  '/readyz',
  '/ready',
  '/-/ready',
  '/health/ready',
  '/healthz',
  '/health',
  '/-/healthy',
  '/livez',
  '/ping',
];
const SOURCE = /\.(?:[cm]?[jt]sx?|py|go|rb|rs|java|kt|php|ex|cs)$/;
const MAX_READ = 300;

/** A readiness path that stands as a whole text in the source; tests do not count. */
export async function readinessPath(files: ProjectFiles): Promise<string | null> {
  const sources = files.paths.filter((path) => SOURCE.test(path) && !isTest(path)).slice(0, MAX_READ);
  const found = new Set<string>();
  for (const path of sources) {
    const text = (await files.read(path)) ?? '';
    for (const endpoint of ENDPOINTS) {
      if (["'", '"', '`'].some((quote) => text.includes(`${quote}${endpoint}${quote}`))) found.add(endpoint);
    }
    if (found.has(ENDPOINTS[0] as string)) break;
  }
  return ENDPOINTS.find((endpoint) => found.has(endpoint)) ?? null;
}

/** Does any source read the port it is given? */
export async function readsPort(files: ProjectFiles): Promise<boolean> {
  for (const path of files.paths.filter((path) => SOURCE.test(path) && !isTest(path)).slice(0, MAX_READ)) {
    if (/\bPORT\b/.test((await files.read(path)) ?? '')) return true;
  }
  return false;
}

export function isTest(path: string): boolean {
  return /(?:^|\/)(?:tests?|__tests__|spec)\/|[._-](?:test|spec)\.[cm]?[jt]sx?$|(?:^|\/)test_[^/]*\.py$|_test\.(?:go|py)$/.test(
    path,
  );
}
