const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = Readonly<Record<keyof typeof CODES, (text: string) => string>>;

/**
 * Colours for one stream, or none: NO_COLOR (no-color.org) beats FORCE_COLOR beats TERM=dumb beats what the stream is.
 * Colour is never the only sign of anything.
 */
export function styleFor(sink: { isTTY: boolean }, env: Readonly<Record<string, string | undefined>>): Style {
  const on = wantsColour(sink.isTTY, env);
  const paint = (key: keyof typeof CODES) => (text: string) =>
    on && text !== '' ? `\x1b[${CODES[key][0]}m${text}\x1b[${CODES[key][1]}m` : text;
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

function wantsColour(isTTY: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '')
    return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTTY && env.TERM !== 'dumb';
}

const GOOD = new Set([
  'healthy',
  'succeeded',
  'built',
  'pass',
  'verified',
  'allow',
  'active',
  'cached',
  'byte-identical',
  'content-identical',
  'ok',
]);
const BAD = new Set([
  'down',
  'failed',
  'denied',
  'rejected',
  'rolled-back',
  'deny',
  'fail',
  'revoked',
  'diverged',
  'timed-out',
]);
const CARE = new Set([
  'degraded',
  'no-data',
  'inconclusive',
  'awaiting-approval',
  'paused',
  'warn',
  'expired',
  'aborted',
  'rolling-back',
  'cancelled',
]);

/** A state in its colour; the word itself says everything. */
export function paintState(style: Style, state: string): string {
  if (GOOD.has(state)) return style.green(state);
  if (BAD.has(state)) return style.red(state);
  return CARE.has(state) ? style.yellow(state) : state;
}
