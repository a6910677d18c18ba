import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { asProblem } from '../api/problem.ts';
import { queries } from '../api/queries.ts';
import { connect, useTopics } from '../live/connection.ts';
import { Failure } from '../parts/states.tsx';
import { usePreferences } from '../preferences.ts';
import { Help } from './help.tsx';
import { focusFilter, useKeys } from './keys.ts';
import { SignIn } from './sign-in.tsx';
import { TopBar } from './top-bar.tsx';
import { switchZone, useZoneOfLink } from './zone.ts';

const Palette = lazy(() =>
  import('./palette.tsx').then(({ Palette: component }) => ({ default: component })),
);

/** Who is here decides what is drawn: the sign-in form, or the product. */
export function Shell() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const me = useQuery({ ...queries.me(), enabled: path !== '/login' });
  const navigate = useNavigate();
  const problem = me.error === null ? null : asProblem(me.error);
  if (problem?.status === 401 || path === '/login')
    return (
      <SignIn
        onDone={() => {
          if (location.pathname === '/login') void navigate({ to: '/', replace: true });
        }}
      />
    );
  if (me.data === undefined && problem !== null)
    return (
      <main className="mx-auto max-w-lg p-8">
        <Failure error={problem} retry={() => void me.refetch()} />
      </main>
    );
  return <SignedIn actor={me.data?.actor ?? null} />;
}

function SignedIn({ actor }: { actor: string | null }) {
  const client = useQueryClient();
  const signedIn = actor !== null;
  const [help, setHelp] = useState(false);
  const [palette, setPalette] = useState(false);
  useEffect(() => {
    if (!signedIn) return;
    // A stream that is refused may mean a session that has ended.
    return connect(client, () => void client.invalidateQueries({ queryKey: ['me'] }));
  }, [client, signedIn]);
  useTopics('entries');
  useZoneOfLink();
  useShortcuts(
    useCallback(() => setHelp(true), []),
    useCallback(() => setPalette(true), []),
  );
  const open = useQuery({ ...queries.promotions({ open: 'true', limit: 500 }), enabled: signedIn });
  const waiting = (open.data?.promotions ?? []).filter((one) => one.status === 'awaiting-approval').length;
  return (
    <>
      <a
        href="#content"
        className="fixed top-2 left-2 z-50 -translate-y-20 rounded-md bg-accent px-3 py-2 text-on-accent focus:translate-y-0"
      >
        Skip to the content
      </a>
      <TopBar
        actor={actor}
        approvals={waiting}
        onSearch={() => setPalette(true)}
        onHelp={() => setHelp(true)}
      />
      <main id="content" tabIndex={-1} className="min-h-[calc(100vh-3rem)] outline-none">
        <Suspense>{signedIn && <Outlet />}</Suspense>
      </main>
      <Help open={help} onOpenChange={setHelp} />
      <Suspense>{palette && <Palette onClose={() => setPalette(false)} />}</Suspense>
    </>
  );
}

function useShortcuts(onHelp: () => void, onPalette: () => void): void {
  const navigate = useNavigate();
  const { zone } = usePreferences();
  useKeys(
    useMemo(
      () => ({
        'mod k': onPalette,
        '?': onHelp,
        '/': focusFilter,
        t: () => switchZone(navigate, zone === 'utc' ? 'local' : 'utc'),
        'g m': () => void navigate({ to: '/' }),
        'g r': () => void navigate({ to: '/rollouts' }),
        'g a': () => void navigate({ to: '/approvals' }),
        'g l': () => void navigate({ to: '/ledger' }),
        'g p': () => void navigate({ to: '/policies' }),
        'g w': () => void navigate({ to: '/why' }),
      }),
      [navigate, zone, onHelp, onPalette],
    ),
  );
}
