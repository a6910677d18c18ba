import { type ReactNode, useEffect } from 'react';

/** A page: its title in the window as well, so that tabs and history say where one was. */
export function Page({
  title,
  windowTitle,
  above,
  actions,
  children,
  wide,
}: {
  title: ReactNode;
  windowTitle: string;
  /** Where in the product this is: links up. */
  above?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  wide?: boolean;
}) {
  useEffect(() => {
    document.title = `${windowTitle} · Slipway`;
  }, [windowTitle]);
  return (
    <div className={`mx-auto flex w-full flex-col gap-4 px-4 py-4 sm:px-6 ${wide ? '' : 'max-w-[96rem]'}`}>
      <header className="flex flex-wrap items-end justify-between gap-x-6 gap-y-2">
        <div className="min-w-0">
          {above !== undefined && (
            <nav
              aria-label="Breadcrumb"
              className="mb-0.5 flex flex-wrap items-center gap-1.5 text-xs text-muted"
            >
              {above}
            </nav>
          )}
          <h1 className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold tracking-tight">
            {title}
          </h1>
        </div>
        {actions !== undefined && (
          <div className="flex max-w-full min-w-0 flex-wrap items-center gap-2">{actions}</div>
        )}
      </header>
      {children}
    </div>
  );
}
