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

/**
 * Shapes differ, not only colours: a check in a disc, a cross in an octagon, a bar in a triangle, an arrow, a ring. They are
 * masks of the style sheet, so that a cell of the matrix needs no node for them.
 */
export function ToneIcon({ tone, className }: { tone: Tone; className?: string }) {
  return <span aria-hidden data-tone={tone} className={`tone ${className ?? TONE_TEXT[tone]}`} />;
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
