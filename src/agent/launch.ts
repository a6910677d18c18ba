import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { SlipwayError } from '../kernel/errors.ts';
import type { Command } from './command.ts';
import { readStat } from './processes.ts';
import type { Sandbox } from './sandbox.ts';

export interface Launch {
  command: Command;
  /** Identifies the run; set in every stage of the launcher and in the program. */
  markers: Readonly<Record<string, string>>;
  logPath: string;
  openFiles: number | null;
  sandbox: Sandbox;
  /** Scratch directory, the program's HOME and TMPDIR. */
  scratch: string;
}

/** A launched process that waits at the gate: it runs nothing of the image until `go`, and ends when we die before. */
export interface Gated {
  child: ChildProcess;
  pid: number;
  startTicks: number;
  go(): Promise<void>;
  /** Ends it before it ran anything. */
  abandon(): void;
}

/**
 * Stage one: closes descriptors that leaked into the agent, sets limits. bash where there is one, because a POSIX shell
 * cannot close descriptors above 9. No redirection around the loop: the shell's copy of what was redirected would be closed.
 */
const PREPARE = `
for fd in /proc/self/fd/*; do
  fd=\${fd##*/}
  case $fd in
    0|1|2|3) ;;
    [4-9]) eval "exec $fd>&-" ;;
    *) [ -n "$BASH_VERSION" ] && eval "exec $fd>&-" ;;
  esac
done
umask 022
ulimit -c 0
[ "$1" = - ] || ulimit -n "$1" || exit 125
shift
echo 300 > /proc/self/oom_score_adj 2>/dev/null
exec "$@"
`;

/**
 * Last stage, the gate: reads the program's environment as shell text until the agent closes the pipe. The end mark is
 * there only when the agent has recorded this process; without it (the agent died) nothing of the image is ever run. The
 * environment comes this way so that neither an argument list shows it nor an earlier stage obeys it (LD_PRELOAD, BASH_ENV).
 */
const GATE = `
text=$(cat <&3)
exec 3>&-
case $text in *'#slipway-go') ;; *) exit 0 ;; esac
cd "$1" || exit 125
shift
unset OLDPWD PWD SHLVL
eval "$text"
unset text
exec "$@"
`;

const BASH = ['/bin/bash', '/usr/bin/bash'].find((path) => existsSync(path)) ?? '/bin/sh';

/** Spawns the launcher in its own session; gives its identity, to be recorded before `go`. */
export async function launch(options: Launch): Promise<Gated> {
  const { command, sandbox } = options;
  const gate = ['/bin/sh', '-c', GATE, 'slipway-gate', command.workdir, command.program, ...command.args];
  const staged = [
    BASH,
    '-c',
    PREPARE,
    'slipway-launch',
    options.openFiles?.toString() ?? '-',
    ...sandbox.wrap(gate),
  ];
  const log = openSync(options.logPath, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(staged[0]!, staged.slice(1), {
      cwd: '/',
      env: { ...options.markers, PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
    });
  } finally {
    closeSync(log);
  }
  await started(child);
  const pid = child.pid!;
  const stat = readStat(pid);
  const gateway = child.stdio[3] as Writable;
  // A launcher that died has closed its end; its exit is reported by the child itself.
  gateway.on('error', () => {});
  child.unref();
  if (stat === null) throw new SlipwayError('internal', 'The launcher of an instance ended at once');
  const text = environmentText({
    ...command.env,
    HOME: options.scratch,
    TMPDIR: options.scratch,
    ...options.markers,
  });
  return {
    child,
    pid,
    startTicks: stat.startTicks,
    go: () => new Promise((resolve) => gateway.end(`${text}\n#slipway-go`, () => resolve())),
    abandon: () => gateway.destroy(),
  };
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) =>
      reject(
        new SlipwayError('internal', `The launcher cannot be started: ${error.message}`, { cause: error }),
      ),
    );
  });
}

function environmentText(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `command export ${name}='${value.replaceAll("'", `'\\''`)}' || :`)
    .join('\n');
}
