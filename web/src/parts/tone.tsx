import type { Tone } from '../rollout/words.ts';

export const TONE_TEXT: Readonly<Record<Tone, string>> = {
  ok: 'text-ok',
  bad: 'text-bad',
  wait: 'text-wait',
  move: 'text-accent',
  none: 'text-muted',
};

export const TONE_SOFT: Readonly<Record<Tone, string>> = {
  ok: 'bg-ok-soft text-ok',
  bad: 'bg-bad-soft text-bad',
  wait: 'bg-wait-soft text-wait',
  move: 'bg-accent-soft text-accent',
  none: 'bg-raised text-muted',
};

/** Shapes differ, not only colours: a check in a disc, a cross in an octagon, a bar in a triangle, an arrow, a ring. */
const SHAPES: Readonly<Record<Tone, string>> = {
  ok: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.3-4.2 5a.9.9 0 0 1-1.3.1L4.3 9.7a.9.9 0 1 1 1.2-1.3l1.1 1 3.6-4.3a.9.9 0 1 1 1.4 1.2Z',
  bad: 'M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1L5.1 1Zm.8 3.7L4.7 5.9 6.8 8l-2.1 2.1 1.2 1.2L8 9.2l2.1 2.1 1.2-1.2L9.2 8l2.1-2.1-1.2-1.2L8 6.8 5.9 4.7Z',
  wait: 'M8 1.2a1.3 1.3 0 0 0-1.1.65L.95 12.5A1.3 1.3 0 0 0 2.1 14.5h11.8a1.3 1.3 0 0 0 1.15-2L9.1 1.85A1.3 1.3 0 0 0 8 1.2Zm-.9 4.3h1.8l-.25 4.5h-1.3L7.1 5.5ZM8 10.9a1 1 0 1 1 0 2 1 1 0 0 1 0-2Z',
  move: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm.3 3.4L12 8l-3.7 3.6-1.2-1.2 1.5-1.5H4V7.1h4.6L7.1 5.6l1.2-1.2Z',
  none: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 8 2.6ZM5 7.2h6v1.6H5V7.2Z',
};

export function ToneIcon({ tone, className }: { tone: Tone; className?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      aria-hidden="true"
      className={`size-3.5 shrink-0 fill-current ${className ?? TONE_TEXT[tone]}`}
    >
      <path d={SHAPES[tone]} fillRule="evenodd" />
    </svg>
  );
}

/** A state in a word, with its shape. */
export function Badge({ tone, children }: { tone: Tone; children: React.ReactNode }) {
  return (
    <span
      className={`inline-flex items-center gap-1 rounded-full py-px pr-2 pl-1 text-xs font-medium whitespace-nowrap ${TONE_SOFT[tone]}`}
    >
      <ToneIcon tone={tone} className="text-current" />
      {children}
    </span>
  );
}
