import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Command } from 'cmdk';
import { useEffect, useRef } from 'react';
import { queries } from '../api/queries.ts';
import { firstLine } from '../format/names.ts';
import { PHASES } from '../rollout/words.ts';

const PAGES = [
  { to: '/', name: 'Matrix' },
  { to: '/rollouts', name: 'Rollouts' },
  { to: '/approvals', name: 'Approvals' },
  { to: '/policies', name: 'Policies and decisions' },
  { to: '/ledger', name: 'Ledger' },
  { to: '/why', name: 'Why: from running bytes to the commit' },
] as const;

const ITEM =
  'flex cursor-pointer items-baseline gap-2 rounded-md px-3 py-1.5 text-sm data-[selected=true]:bg-raised data-[selected=true]:text-text';
const GROUP =
  '[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-3 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-muted';

/** Finds services, releases, rollouts and pages by name; what it lists is what the API lists. */
export function Palette({ onClose }: { onClose(): void }) {
  const navigate = useNavigate();
  const matrix = useQuery(queries.matrix());
  const releases = useQuery(queries.releases({ limit: 100 }));
  const rollouts = useQuery(queries.rollouts({ limit: 50 }));
  useFocusBack();
  const go = (leave: () => Promise<void>) => () => {
    onClose();
    void leave();
  };
  return (
    <Command.Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      label="Find"
      overlayClassName="overlay fixed inset-0 z-40 bg-black/45"
      contentClassName="overlay fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-2rem)] max-w-xl -translate-x-1/2 overflow-hidden rounded-xl border border-strong bg-panel shadow-2xl"
    >
      <Command.Input
        placeholder="Service, release, rollout or page"
        aria-label="Find"
        className="w-full border-b bg-transparent px-4 py-3 text-base outline-none placeholder:text-muted"
      />
      <Command.List className="max-h-[55vh] overflow-y-auto p-1.5" label="Results">
        <Command.Empty className="px-3 py-6 text-center text-muted">Nothing has that name.</Command.Empty>
        <Command.Group heading="Pages" className={GROUP}>
          {PAGES.map(({ to, name }) => (
            <Command.Item
              key={to}
              value={`page ${name}`}
              onSelect={go(() => navigate({ to }))}
              className={ITEM}
            >
              {name}
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Services" className={GROUP}>
          {(matrix.data?.services ?? []).map(({ name }) => (
            <Command.Item
              key={name}
              value={`service ${name}`}
              onSelect={go(() => navigate({ to: '/services/$service', params: { service: name } }))}
              className={ITEM}
            >
              {name}
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Rollouts" className={GROUP}>
          {(rollouts.data?.rollouts ?? []).map((one) => (
            <Command.Item
              key={one.id}
              value={`rollout ${one.service} ${one.environment} release ${one.releaseNumber ?? ''} ${one.id}`}
              onSelect={go(() => navigate({ to: '/rollouts/$rollout', params: { rollout: one.id } }))}
              className={ITEM}
            >
              {one.service} → {one.environment}
              <span className="text-muted">
                release {one.releaseNumber ?? '?'}, {PHASES[one.phase] ?? one.phase}
              </span>
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Releases" className={GROUP}>
          {(releases.data?.releases ?? []).map((one) => (
            <Command.Item
              key={one.id}
              value={`release ${one.service} ${one.number} ${firstLine(one.commit.message)} ${one.commit.sha.slice(0, 12)} ${one.id}`}
              onSelect={go(() => navigate({ to: '/releases/$release', params: { release: one.id } }))}
              className={ITEM}
            >
              <span className="whitespace-nowrap">
                {one.service} #{one.number}
              </span>
              <span className="truncate text-muted">{firstLine(one.commit.message)}</span>
            </Command.Item>
          ))}
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  );
}

/** The focus returns to where it was, unless the choice took it elsewhere. */
function useFocusBack(): void {
  const opener = useRef(document.activeElement);
  useEffect(() => {
    const element = opener.current;
    return () => {
      setTimeout(() => {
        if (document.activeElement === document.body && element instanceof HTMLElement) element.focus();
      });
    };
  }, []);
}
