import { basename, resolve } from 'node:path';
import type { ProjectFacts, StepFacts } from './facts.ts';
import { isPrintable, type ProjectFiles } from './files.ts';
import { dockerHints, readinessPath, readsPort } from './hints.ts';
import { nodeProject } from './node.ts';

/** Finds out what a project is. Whatever stays unknown gets a sound guess and a finding that says so. */
export async function detectProject(files: ProjectFiles): Promise<ProjectFacts> {
  const docker = await dockerHints(files);
  const readiness = await readinessPath(files);
  const base = (await nodeProject(files)) ?? goProject(files) ?? pythonProject(files) ?? plainProject(files);
  const findings = [...base.findings];
  const entrypoint = base.entrypoint ?? docker.command;
  if (!entrypoint) findings.push('How the program starts is not clear; change "entrypoint".');
  if (readiness === null)
    findings.push('No readiness endpoint was found; change "readiness.path" to one that answers 200.');
  if (!(await readsPort(files)))
    findings.push('Let the program listen on the port given in the variable PORT.');
  return {
    name: toName(base.name) || toName(basename(resolve(files.directory))) || 'service',
    description: isPrintable(base.description) ? [...base.description.trim()].slice(0, 200).join('') : '',
    steps: base.steps,
    layers: base.layers,
    entrypoint: entrypoint ?? ['./start'],
    ports: docker.ports,
    readiness,
    findings,
  };
}

type Base = Pick<ProjectFacts, 'name' | 'description' | 'steps' | 'layers' | 'findings'> & {
  entrypoint: readonly string[] | null;
};

function goProject(files: ProjectFiles): Base | null {
  if (!files.paths.includes('go.mod')) return null;
  const commands = files.paths.flatMap((path) => /^cmd\/([^/]+)\/main\.go$/.exec(path)?.[1] ?? []);
  const target = files.paths.includes('main.go') ? '.' : `./cmd/${commands[0] ?? 'app'}`;
  const steps: StepFacts[] = [
    {
      name: 'build',
      run: `CGO_ENABLED=0 go build -trimpath -o bin/app ${/^[\w./-]+$/.test(target) ? target : '.'}`,
      network: true,
      outputs: ['bin'],
      why: 'Modules are pinned by go.sum.',
    },
    {
      name: 'test',
      run: 'go test ./...',
      network: true,
      why: 'Let it write JUnit XML and name the file as "report": { format, path }.',
    },
  ];
  return {
    name: '',
    description: '',
    steps,
    layers: [{ name: 'app', from: ['bin'], why: 'The program itself.' }],
    entrypoint: ['/app/bin/app'],
    findings: ['The tests write no report yet; production asks for tests that passed.'],
  };
}

function pythonProject(files: ProjectFiles): Base | null {
  const isPython = ['pyproject.toml', 'requirements.txt', 'setup.py'].some((path) =>
    files.paths.includes(path),
  );
  if (!isPython) return null;
  const steps: StepFacts[] = [];
  if (files.paths.includes('requirements.txt')) {
    steps.push({
      name: 'install',
      run: 'python3 -m pip install --require-hashes --target site-packages -r requirements.txt',
      network: true,
      inputs: ['requirements.txt'],
      outputs: ['site-packages'],
      why: 'Hashes pin every package ("pip-compile --generate-hashes").',
    });
  }
  steps.push({
    name: 'test',
    run: 'PYTHONPATH=site-packages python3 -m pytest --junitxml=reports/junit.xml',
    needs: steps.map((step) => step.name),
    report: { format: 'junit', path: 'reports/junit.xml' },
    why: 'Its report becomes signed evidence that the gates ask for.',
  });
  const main = ['app.py', 'main.py', 'server.py', 'manage.py'].find((path) => files.paths.includes(path));
  const layers = [{ name: 'app', from: sourceFolders(files), why: 'The program itself.' }];
  if (steps.length > 1)
    layers.unshift({
      name: 'dependencies',
      from: ['site-packages'],
      why: 'Changes seldom, so it comes first.',
    });
  return {
    name: '',
    description: '',
    steps,
    layers,
    entrypoint: main ? ['python3', main] : null,
    findings: [],
  };
}

function plainProject(files: ProjectFiles): Base {
  return {
    name: '',
    description: '',
    steps: [],
    layers: [{ name: 'app', from: sourceFolders(files), why: 'The program itself.' }],
    entrypoint: null,
    findings: ['The kind of project is not known; add build steps, and a test step with a report.'],
  };
}

const NOT_SOURCE = /^(?:tests?|docs?|reports|slipway\.yaml|README.*|LICENSE.*|Dockerfile|Makefile)$/i;
const MAX_NAMED = 50;

/** Files and folders at the root that may belong to the program. */
function sourceFolders(files: ProjectFiles): string[] {
  const top = new Set(files.paths.map((path) => path.split('/')[0] as string));
  const named = [...top]
    .filter((name) => !NOT_SOURCE.test(name) && /^[\w.@+ -]+$/.test(name))
    .slice(0, MAX_NAMED);
  return named.length > 0 ? named : ['src'];
}

/** `@scope/My_App` to `my-app`: an RFC 1123 label, or empty. */
function toName(text: string): string {
  const last = text.slice(text.lastIndexOf('/') + 1).toLowerCase();
  return last
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
}
