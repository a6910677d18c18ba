import type { ReactNode } from 'react';

/** Content wider or taller than its place; a keyboard can reach and scroll it. */
export function ScrollRegion({
  label,
  className,
  children,
}: {
  label: string;
  className?: string;
  children: ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section aria-label={label} tabIndex={0} className={`overflow-auto ${className ?? ''}`}>
      {children}
    </section>
  );
}
