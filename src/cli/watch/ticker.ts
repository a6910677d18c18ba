import type { Context } from '../context.ts';
import { mayAnimate } from '../io.ts';
import { cut } from '../output/table.ts';
import { clockTime } from '../output/time.ts';

/** Says what goes on, on stderr. */
export interface Ticker {
  /** A change of state: a line of its own that stays. */
  line(text: string): void;
  /** How it stands; repeated where nothing else is said for a while. */
  now(text: string): void;
  stop(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 120;
/** Not a terminal: a sign of life this often. */
export const HEARTBEAT_MS = 15_000;

export function createTicker({ io, output, errorStyle }: Context, heartbeatMs = HEARTBEAT_MS): Ticker {
  const stamp = () => errorStyle.dim(clockTime(io.nowMs()));
  if (mayAnimate(io)) return createLive(io.stderr, stamp);
  let spokenAtMs = io.nowMs();
  let present = '';
  const timer = setInterval(
    () => {
      if (present === '' || io.nowMs() - spokenAtMs < heartbeatMs) return;
      output.note(`${stamp()}  still: ${present}`);
      spokenAtMs = io.nowMs();
    },
    Math.min(1_000, heartbeatMs),
  );
  return {
    line(text) {
      output.note(`${stamp()}  ${text}`);
      spokenAtMs = io.nowMs();
    },
    now(text) {
      present = text;
    },
    stop: () => clearInterval(timer),
  };
}

/** One line at the bottom that is drawn again and again; lines that stay are put above it. */
function createLive(stderr: { write(text: string): void; columns: number }, stamp: () => string): Ticker {
  let frame = 0;
  let present = '';
  const erase = () => stderr.write('\r\x1b[2K');
  const draw = () => {
    if (present === '') return;
    erase();
    stderr.write(cut(`${FRAMES[frame++ % FRAMES.length]} ${present}`, stderr.columns - 1));
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    line(text) {
      erase();
      stderr.write(`${stamp()}  ${text}\n`);
      draw();
    },
    now(text) {
      present = text.replace(/\s+/g, ' ');
      draw();
    },
    stop() {
      clearInterval(timer);
      erase();
    },
  };
}
