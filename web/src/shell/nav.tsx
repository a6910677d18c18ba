import { Link } from '@tanstack/react-router';
import { FileCheck2, GitBranch, Grid3x3, ListChecks, Rocket, ScrollText } from 'lucide-react';

const PAGES = [
  { to: '/', label: 'Matrix', icon: Grid3x3, exact: true },
  { to: '/rollouts', label: 'Rollouts', icon: Rocket, exact: false },
  { to: '/approvals', label: 'Approvals', icon: ListChecks, exact: false },
  { to: '/policies', label: 'Policies', icon: FileCheck2, exact: false },
  { to: '/ledger', label: 'Ledger', icon: ScrollText, exact: false },
  { to: '/why', label: 'Why', icon: GitBranch, exact: false },
] as const;

export function Nav({ approvals }: { approvals: number }) {
  return (
    <nav
      aria-label="Main"
      className="flex min-w-0 items-center gap-0.5 overflow-x-auto py-1 max-md:order-last max-md:w-full max-md:border-t"
    >
      {PAGES.map(({ to, label, icon: Icon, exact }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact, includeSearch: false }}
          activeProps={{ className: 'bg-raised text-text', 'aria-current': 'page' }}
          inactiveProps={{ className: 'text-muted hover:text-text hover:bg-raised' }}
          className="inline-flex h-8 items-center gap-1.5 rounded-md px-2.5 text-sm font-medium whitespace-nowrap"
        >
          <Icon aria-hidden className="size-4 max-lg:hidden" />
          {label}
          {to === '/approvals' && approvals > 0 && (
            <span className="rounded-full bg-wait-soft px-1.5 text-2xs font-semibold text-wait">
              {approvals}
              <span className="sr-only"> waiting</span>
            </span>
          )}
        </Link>
      ))}
    </nav>
  );
}
