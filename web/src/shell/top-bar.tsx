import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { CircleHelp, LogOut, Monitor, Moon, Search, Sun } from 'lucide-react';
import { api, call } from '../api/client.ts';
import { setTheme, type Theme, usePreferences } from '../preferences.ts';
import { ConnectionBadge } from './connection-badge.tsx';
import { Nav } from './nav.tsx';
import { switchZone } from './zone.ts';

const ICON_BUTTON =
  'inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-text';

const THEMES: Readonly<Record<Theme, { next: Theme; icon: typeof Sun; name: string }>> = {
  system: { next: 'light', icon: Monitor, name: 'as the system' },
  light: { next: 'dark', icon: Sun, name: 'light' },
  dark: { next: 'system', icon: Moon, name: 'dark' },
};

export function TopBar({
  actor,
  approvals,
  onSearch,
  onHelp,
}: {
  actor: string | null;
  approvals: number;
  onSearch(): void;
  onHelp(): void;
}) {
  const { theme } = usePreferences();
  const { icon: ThemeIcon, name, next } = THEMES[theme];
  return (
    <header className="sticky top-0 z-30 flex min-h-12 flex-wrap items-center gap-x-3 border-b bg-panel px-3 sm:px-4">
      <Link to="/" className="flex shrink-0 items-center gap-2 rounded-md pr-1">
        <img src="/icon.svg" alt="" className="size-6" />
        <span className="text-sm font-semibold tracking-tight max-sm:sr-only">Slipway</span>
      </Link>
      <Nav approvals={approvals} />
      <div className="ml-auto flex shrink-0 items-center gap-1">
        <ConnectionBadge />
        <button
          type="button"
          onClick={onSearch}
          className="ml-1 inline-flex h-8 items-center gap-2 rounded-md border px-2.5 text-sm text-muted hover:border-strong hover:text-text"
        >
          <Search aria-hidden className="size-4" />
          <span className="max-md:sr-only">Find</span>
          <kbd className="rounded border bg-raised px-1 font-mono text-2xs max-md:hidden">{modifier()} K</kbd>
        </button>
        <ZoneSwitch />
        <button
          type="button"
          onClick={() => setTheme(next)}
          aria-label={`Theme: ${name}. Switch to ${THEMES[next].name}`}
          title={`Theme: ${name}`}
          className={ICON_BUTTON}
        >
          <ThemeIcon aria-hidden className="size-4" />
        </button>
        <button
          type="button"
          onClick={onHelp}
          aria-label="Keyboard shortcuts"
          title="Keyboard (?)"
          className={ICON_BUTTON}
        >
          <CircleHelp aria-hidden className="size-4" />
        </button>
        <SignOut actor={actor} />
      </div>
    </header>
  );
}

function ZoneSwitch() {
  const { zone } = usePreferences();
  const navigate = useNavigate();
  const other = zone === 'utc' ? 'local' : 'utc';
  return (
    <button
      type="button"
      onClick={() => switchZone(navigate, other)}
      aria-label={`Times are ${zone === 'utc' ? 'in UTC' : 'local'}. Switch to ${other === 'utc' ? 'UTC' : 'local'}`}
      title="UTC or local times (t)"
      className="h-8 w-12 rounded-md text-xs font-medium text-muted hover:bg-raised hover:text-text"
    >
      {zone === 'utc' ? 'UTC' : 'Local'}
    </button>
  );
}

function SignOut({ actor }: { actor: string | null }) {
  const client = useQueryClient();
  const signOut = async () => {
    await call(api.POST('/v1/session/end') as Promise<{ data?: unknown; response: Response }>).catch(
      () => null,
    );
    await client.resetQueries();
  };
  return (
    <button
      type="button"
      onClick={() => void signOut()}
      aria-label={`Sign out${actor === null ? '' : ` ${actor}`}`}
      title={`Sign out${actor === null ? '' : ` (${actor})`}`}
      className={ICON_BUTTON}
    >
      <LogOut aria-hidden className="size-4" />
    </button>
  );
}

function modifier(): string {
  return /mac|iphone|ipad/i.test(navigator.userAgent) ? '⌘' : 'Ctrl';
}
