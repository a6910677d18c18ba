import { createContext } from './context.ts';
import { EXIT, errorJson, exitCodeOf, formatError, Interrupted, usage } from './errors.ts';
import { READER_LEFT } from './interrupt.ts';
import { type Io, processIo } from './io.ts';
import type { Local } from './local.ts';
import { createOutput, parseFormat, TEXT } from './output/output.ts';
import { styleFor } from './output/style.ts';
import { type Parsed, parseCommandLine } from './program.ts';

/** Runs one command line and gives its exit code. Whatever goes wrong is said on stderr and never thrown. */
export async function runCli(
  argv: readonly string[],
  { local }: { local: Local },
  io: Io = processIo(),
): Promise<number> {
  if (argv[0] === '__complete') {
    const { complete } = await import('./completion/complete.ts');
    return complete(argv.slice(1), local, io);
  }
  const stop = new AbortController();
  const release = io.listenForEnd(stop);
  try {
    const parsed = await parseCommandLine(argv);
    if (parsed.kind === 'text') io.stdout.write(parsed.text);
    else if (parsed.kind === 'version') io.stdout.write(`slipway ${await local.version()}\n`);
    const code = parsed.kind === 'run' ? await run(parsed, local, io, stop.signal) : EXIT.ok;
    await written(stop.signal);
    return code;
  } catch (error) {
    return report(stop.signal.aborted ? stop.signal.reason : error, error, argv, io);
  } finally {
    release();
  }
}

type Run = Extract<Parsed, { kind: 'run' }>;

async function run(
  { spec, input, options }: Run,
  local: Local,
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  const text = (name: string) => (typeof options[name] === 'string' ? (options[name] as string) : undefined);
  if (spec.fields.length === 0 && (options.json !== undefined || options.jq !== undefined))
    throw usage(`"slipway ${spec.path}" has no JSON`);
  const format = spec.fields.length === 0 ? TEXT : parseFormat(text('json'), text('jq'), spec.fields);
  const output = createOutput(io, format, spec.fields);
  const flags = {
    url: text('url'),
    data: text('data'),
    profile: text('profile'),
    tokenFile: text('tokenFile'),
  };
  const command = await spec.load();
  const code = await command(createContext({ io, local, output, flags, signal }), input);
  await output.finish();
  return code;
}

/** A stdout that cannot be written is heard of a moment later. */
async function written(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted && !(signal.reason instanceof Interrupted)) throw signal.reason;
}

function report(reason: unknown, error: unknown, argv: readonly string[], io: Io): number {
  if (reason === READER_LEFT) return EXIT.ok;
  if (reason instanceof Interrupted) {
    io.stderr.write(`${error instanceof Interrupted ? error.message : reason.message}\n`);
    return EXIT.interrupted;
  }
  const json = argv.some((word) => /^--(json|jq)(=|$)/.test(word));
  if (json) io.stderr.write(`${JSON.stringify(errorJson(reason))}\n`);
  else io.stderr.write(formatError(reason, styleFor(io.stderr, io.env)));
  return exitCodeOf(reason);
}
