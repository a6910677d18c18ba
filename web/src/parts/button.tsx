import type { ComponentProps } from 'react';

const LOOK = {
  plain: 'border-line bg-panel hover:bg-raised hover:border-strong',
  primary: 'border-transparent bg-accent text-on-accent hover:opacity-90',
  danger: 'border-bad/50 bg-bad-soft text-bad hover:border-bad',
  ghost: 'border-transparent bg-transparent text-muted hover:bg-raised hover:text-text',
} as const;

/** `busy` keeps the width and stops a second press. */
export function Button({
  look = 'plain',
  busy,
  className,
  children,
  ...rest
}: ComponentProps<'button'> & { look?: keyof typeof LOOK; busy?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={`inline-flex h-7 items-center justify-center gap-1.5 rounded-md border px-2.5 text-sm font-medium whitespace-nowrap disabled:opacity-50 ${LOOK[look]} ${className ?? ''}`}
    >
      {children}
    </button>
  );
}
