import { posix } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';

/** The parts of an OCI image config that say how to run it. */
export interface ImageRunConfig {
  entrypoint: readonly string[];
  command: readonly string[];
  /** `NAME=value`. */
  env: readonly string[];
  workdir: string;
}

export interface Command {
  /** Absolute path on the host. */
  program: string;
  args: readonly string[];
  workdir: string;
  env: Record<string, string>;
  /** The program is the host's (the Node.js that runs the agent) because the image brings none. */
  hostRuntime: boolean;
}

export interface CommandSources {
  rootfs: string;
  /** Directory of the host's Node.js binary. */
  runtimeDirectory: string;
  /** Follows symlinks; null when there is nothing. */
  kindOf(path: string): 'program' | 'file' | 'directory' | null;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Variables that change the launcher's own shell or loader are for the program alone; these the shell cannot carry. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * How to start an image whose root is not the process's root: absolute paths of the image are looked up below `rootfs`,
 * PATH is the image's below `rootfs`, then the host's runtime directory. So an image with its own `node` runs it, one
 * without runs the host's.
 */
export function planCommand(
  config: ImageRunConfig,
  specEnv: Readonly<Record<string, string>>,
  sources: CommandSources,
): Command {
  const argv = [...config.entrypoint, ...config.command];
  const [name, ...args] = argv;
  if (name === undefined || name === '') {
    throw new SlipwayError('invalid_input', 'The image names neither an entrypoint nor a command', {
      hint: 'Set image.entrypoint in slipway.yaml.',
    });
  }
  const env: Record<string, string> = {};
  for (const entry of config.env) {
    const equals = entry.indexOf('=');
    if (equals > 0 && NAME.test(entry.slice(0, equals)))
      env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  Object.assign(env, specEnv);
  const imagePath = (env.PATH ?? DEFAULT_PATH).split(':').filter((part) => part.startsWith('/'));
  const inImage = (path: string) => posix.join(sources.rootfs, posix.normalize(`/${path}`));
  const searched = imagePath.map(inImage);
  env.PATH = [...searched, sources.runtimeDirectory].join(':');
  const workdir = inImage(config.workdir || '/');
  if (sources.kindOf(workdir) !== 'directory') {
    throw new SlipwayError(
      'invalid_input',
      `The image's working directory ${JSON.stringify(config.workdir)} is not in it`,
      {
        hint: 'Set image.workdir in slipway.yaml to a directory of a layer.',
      },
    );
  }
  const found = findProgram(name, workdir, searched, inImage, sources);
  if (found === null) {
    throw new SlipwayError(
      'invalid_input',
      `The image's program ${JSON.stringify(name)} is neither in the image nor the host's Node.js`,
      {
        hint: 'Put the program in a layer, or start it with "node".',
      },
    );
  }
  return { ...found, args, workdir, env };
}

function findProgram(
  name: string,
  workdir: string,
  searched: readonly string[],
  inImage: (path: string) => string,
  sources: CommandSources,
): { program: string; hostRuntime: boolean } | null {
  const candidates = name.startsWith('/')
    ? [inImage(name)]
    : name.includes('/')
      ? [inImage(posix.join(workdir.slice(sources.rootfs.length), name))]
      : searched.map((directory) => posix.join(directory, name));
  const own = candidates.find((path) => sources.kindOf(path) === 'program');
  if (own !== undefined) return { program: own, hostRuntime: false };
  // `/usr/local/bin/node` of an image that was built on a base which is not part of it.
  const host = posix.join(sources.runtimeDirectory, posix.basename(name));
  if ((!name.includes('/') || posix.basename(name) === 'node') && sources.kindOf(host) === 'program') {
    return { program: host, hostRuntime: true };
  }
  return null;
}
