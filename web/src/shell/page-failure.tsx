import type { ErrorComponentProps } from '@tanstack/react-router';
import { Page } from '../parts/page.tsx';
import { Failure } from '../parts/states.tsx';

/** A page that could not be drawn or loaded; the rest of the product stays. A newer version on the server needs a reload. */
export function PageFailure({ error, reset }: ErrorComponentProps) {
  const message = error instanceof Error ? error.message : '';
  const outdated = /dynamically imported module|module script/i.test(message);
  return (
    <Page title="This page cannot be shown" windowTitle="Failure">
      {outdated && <p>The server may have a newer version of these pages.</p>}
      <Failure error={error} retry={outdated ? () => location.reload() : reset} />
    </Page>
  );
}
