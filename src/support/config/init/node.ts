import type { StepFacts } from './facts.ts';
import { isPrintable, type ProjectFiles } from './files.ts';
import { isTest } from './hints.ts';

/** What a package.json, its lockfile and its scripts say. */

export interface NodeProject {
  name: string;
  description: string;
  steps: StepFacts[];
  layers: { name: string; from: string[]; why: string }[];
  entrypoint: string[] | null;
  findings: string[];
}

interface Manifest {
  name?: unknown;
  description?: unknown;
  main?: unknown;
  scripts?: unknown;
  dependencies?: unknown;
  devDependencies?: unknown;
}

const REPORT = { format: 'junit', path: 'reports/junit.xml' } as const;

export async function nodeProject(files: ProjectFiles): Promise<NodeProject | null> {
  const manifest = parseManifest(await files.read('package.json'));
  if (!manifest) return null;
  const scripts = texts(manifest.scripts);
  const dependencies = Object.keys(texts(manifest.dependencies)).length;
  const needsInstall = dependencies + Object.keys(texts(manifest.devDependencies)).length > 0;
  const findings: string[] = [];
  const steps: StepFacts[] = [];
  if (needsInstall) steps.push(installStep(files, findings));
  const after = steps.map((step) => step.name);
  const built = scripts.build ? await buildStep(files, after) : null;
  if (built) steps.push(built);
  const tested = testStep(files, scripts.test, [...after, ...(built ? ['build'] : [])]);
  if (tested) steps.push(tested);
  else findings.push('No tests were found; production asks for tests that passed. Add a step with a report.');
  const entrypoint = startCommand(scripts.start) ?? mainFile(manifest, files);
  const from = appFiles(files, entrypoint, built?.outputs ?? []);
  const layers = [{ name: 'app', from, why: 'The program itself.' }];
  if (dependencies > 0)
    layers.unshift({
      name: 'dependencies',
      from: ['node_modules'],
      why: 'Changes seldom, so it comes first.',
    });
  return {
    name: typeof manifest.name === 'string' ? manifest.name : '',
    description: typeof manifest.description === 'string' ? manifest.description : '',
    steps,
    layers,
    entrypoint,
    findings,
  };
}

function parseManifest(text: string | null): Manifest | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  const usable = (text: unknown) => typeof text === 'string' && text.length < 2000 && isPrintable(text);
  return Object.fromEntries(Object.entries(value).filter(([, text]) => usable(text)));
}

function installStep(files: ProjectFiles, findings: string[]): StepFacts {
  const managers = [
    { lockfile: 'pnpm-lock.yaml', run: 'pnpm install --frozen-lockfile' },
    { lockfile: 'yarn.lock', run: 'yarn install --frozen-lockfile' },
    { lockfile: 'package-lock.json', run: 'npm ci' },
    { lockfile: 'npm-shrinkwrap.json', run: 'npm ci' },
  ];
  const manager = managers.find(({ lockfile }) => files.paths.includes(lockfile));
  if (!manager) findings.push('There is no lockfile; run "npm install" and commit package-lock.json.');
  return {
    name: 'install',
    run: manager?.run ?? 'npm ci',
    network: true,
    inputs: ['package.json', manager?.lockfile ?? 'package-lock.json'],
    outputs: ['node_modules'],
    why: 'Exactly what the lockfile says; runs again only when these inputs change.',
  };
}

async function buildStep(files: ProjectFiles, needs: string[]): Promise<StepFacts> {
  const config = (await files.read('tsconfig.json')) ?? '';
  const [, outDir] = /"outDir"\s*:\s*"(?:\.\/)?([A-Za-z0-9_./-]+)"/.exec(config) ?? [];
  const safe = outDir !== undefined && !outDir.split('/').includes('..') && !outDir.startsWith('/');
  const output = safe ? outDir.replace(/\/$/, '') : 'dist';
  return {
    name: 'build',
    run: 'npm run build',
    needs,
    outputs: [output],
    why: `Leaves ${output} for the image.`,
  };
}

function testStep(files: ProjectFiles, script: string | undefined, needs: string[]): StepFacts | null {
  const hasFiles = files.paths.some((path) => isTest(path) && /\.[cm]?[jt]s$/.test(path));
  const isReal = script !== undefined && !script.includes('no test specified');
  if (!isReal && !hasFiles) return null;
  const text = isReal ? script : 'node --test';
  const reporters =
    '--test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit --test-reporter-destination=';
  const why = 'Its report becomes signed evidence that the gates ask for.';
  if (/\bnode --test\b/.test(text)) {
    const run = `mkdir -p reports\n${text.replace(/\bnode --test\b/, `node --test ${reporters}${REPORT.path}`)}`;
    return { name: 'test', run, needs, report: REPORT, why };
  }
  if (/\bvitest\b/.test(text)) {
    const run = `npx vitest run --reporter=default --reporter=junit --outputFile.junit=${REPORT.path}`;
    return { name: 'test', run, needs, report: REPORT, why };
  }
  return {
    name: 'test',
    run: 'npm test',
    needs,
    why: 'Let it write JUnit XML or TAP and name the file as "report": { format, path }.',
  };
}

/** `NODE_ENV=production node src/server.js` as a list; null for anything only a shell understands. */
function startCommand(script: string | undefined): string[] | null {
  const words = (script ?? '').trim().split(/\s+/);
  while (/^[A-Za-z_]\w*=/.test(words[0] ?? '')) words.shift();
  const plain = words.every((word) => /^[\w./:@=,+-]+$/.test(word));
  return plain && words[0] === 'node' && words.length > 1 ? words : null;
}

function mainFile(manifest: Manifest, files: ProjectFiles): string[] | null {
  const named = typeof manifest.main === 'string' ? manifest.main.replace(/^\.\//, '') : '';
  const candidates = [
    named,
    'src/server.js',
    'src/index.js',
    'src/main.js',
    'server.js',
    'index.js',
    'src/server.ts',
    'src/main.ts',
  ];
  const found = candidates.find((path) => path !== '' && files.paths.includes(path));
  return found ? ['node', found] : null;
}

const ASSETS = ['public', 'static', 'views', 'templates', 'assets', 'migrations', 'config', 'lib'];

function appFiles(
  files: ProjectFiles,
  entrypoint: readonly string[] | null,
  outputs: readonly string[],
): string[] {
  const from = new Set<string>(['package.json', ...outputs]);
  const script = entrypoint
    ?.slice(1)
    .find((word) => !word.startsWith('-'))
    ?.replace(/^\.\//, '');
  if (script !== undefined && !script.startsWith('/') && !script.split('/').includes('..')) {
    const top = script.split('/')[0] as string;
    if (script.includes('/')) from.add(top);
    else
      for (const path of files.paths)
        if (!path.includes('/') && /\.[cm]?[jt]s$/.test(path) && !isTest(path)) from.add(path);
  }
  for (const name of ASSETS) if (files.paths.some((path) => path.startsWith(`${name}/`))) from.add(name);
  return [...from].sort().slice(0, 100);
}
