import { useEffect } from 'react';

/** Keys that work anywhere outside a text field: single ones, and sequences as in `g m`. */
export interface Shortcut {
  keys: string;
  does: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: 'Ctrl K', does: 'Find a service, release, rollout or page' },
  { keys: '/', does: 'Go to the filter of this page' },
  { keys: 'g m', does: 'Matrix: what runs where' },
  { keys: 'g r', does: 'Rollouts' },
  { keys: 'g a', does: 'Approvals' },
  { keys: 'g l', does: 'Ledger' },
  { keys: 'g p', does: 'Policies' },
  { keys: 'g w', does: 'Why: from running bytes to the commit' },
  { keys: 't', does: 'Times in UTC or local' },
  { keys: '?', does: 'This list' },
];

const SEQUENCE_MS = 1_200;

export function useKeys(actions: Readonly<Record<string, () => void>>): void {
  useEffect(() => {
    let first = '';
    let timer: ReturnType<typeof setTimeout> | undefined;
    const press = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        actions['mod k']?.();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      const action = actions[first === '' ? event.key : `${first} ${event.key}`];
      clearTimeout(timer);
      if (action) {
        event.preventDefault();
        action();
        first = '';
        return;
      }
      first = event.key === 'g' ? 'g' : '';
      timer = setTimeout(() => {
        first = '';
      }, SEQUENCE_MS);
    };
    addEventListener('keydown', press);
    return () => {
      clearTimeout(timer);
      removeEventListener('keydown', press);
    };
  }, [actions]);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

/** The filter of the page in sight. */
export function focusFilter(): void {
  document.querySelector<HTMLInputElement>('main [data-filter]')?.focus();
}
