import { type useNavigate, useRouterState } from '@tanstack/react-router';
import { useEffect } from 'react';
import { setZone } from '../preferences.ts';

/** The choice is kept and stands in the address, so that a link shows the same times. */
export function switchZone(navigate: ReturnType<typeof useNavigate>, zone: 'utc' | 'local'): void {
  setZone(zone);
  void navigate({ to: '.', search: (old: object) => ({ ...old, tz: zone }), replace: true });
}

export function useZoneOfLink(): void {
  const tz = useRouterState({ select: (state) => (state.location.search as { tz?: 'utc' | 'local' }).tz });
  useEffect(() => {
    if (tz !== undefined) setZone(tz);
  }, [tz]);
}
