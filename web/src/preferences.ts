import { useSyncExternalStore } from 'react';
import type { Zone } from './time/format.ts';

export type Theme = 'system' | 'light' | 'dark';

/** What this reader prefers, kept in the browser. A link may carry a time zone of its own (`?tz=`), which wins. */
interface Preferences {
  theme: Theme;
  zone: Zone;
}

const listeners = new Set<() => void>();
let current: Preferences = {
  theme: pick(read('slipway.theme'), ['system', 'light', 'dark']) ?? 'system',
  zone: pick(read('slipway.zone'), ['utc', 'local']) ?? 'local',
};

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is off: the choice lasts as long as the page
  }
}

function pick<Value extends string>(text: string | null, allowed: readonly Value[]): Value | null {
  return allowed.find((value) => value === text) ?? null;
}

function change(next: Partial<Preferences>): void {
  current = { ...current, ...next };
  for (const listener of listeners) listener();
}

export function setTheme(theme: Theme): void {
  write('slipway.theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  change({ theme });
}

export function setZone(zone: Zone): void {
  write('slipway.zone', zone);
  change({ zone });
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
