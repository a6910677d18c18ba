import type { ReactNode } from 'react';

/** A titled part of a page. Its heading is what a screen reader jumps to. */
export function Panel({
  title,
  aside,
  children,
  className,
  flush,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
  /** Content that draws its own edges: tables, lists. */
  flush?: boolean;
}) {
  return (
    <section className={`min-w-0 rounded-lg border bg-panel ${className ?? ''}`}>
      <header className="flex min-h-10 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b px-4 py-1.5">
        <h2 className="text-sm font-semibold">{title}</h2>
        {aside !== undefined && (
          <div className="flex min-w-0 flex-wrap items-center gap-2 text-xs text-muted">{aside}</div>
        )}
      </header>
      <div className={flush ? '' : 'p-4'}>{children}</div>
    </section>
  );
}

/** Name and value, one a line. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-[minmax(6rem,auto)_1fr] gap-x-4 gap-y-1.5 text-sm">{children}</dl>;
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}
