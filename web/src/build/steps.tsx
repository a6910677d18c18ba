import { Link } from '@tanstack/react-router';
import type { Build } from '../api/types.ts';
import { Badge } from '../parts/tone.tsx';
import { BUILD_TONES } from '../service/builds.tsx';
import { elapsed } from '../time/format.ts';

/** The DAG as a list in order: what each step needs, how long it took and when; the critical path is said in words. */
export function Steps({ build, chosen }: { build: Build; chosen: string | undefined }) {
  const start = build.startedAt === null ? null : Date.parse(build.startedAt);
  const total = Math.max(1, build.durationMs ?? 1);
  const critical = new Set(build.criticalPath.steps);
  return (
    <ol className="divide-y">
      {build.steps.map((step) => {
        const from = step.startedAt === null || start === null ? null : Date.parse(step.startedAt) - start;
        const share = (ms: number) => `${Math.min(100, Math.max(0, (100 * ms) / total))}%`;
        return (
          <li key={step.name}>
            <Link
              to="/builds/$build"
              params={{ build: build.id }}
              search={(old) => ({
                ...old,
                step: chosen === step.name ? undefined : step.name,
                line: undefined,
              })}
              replace
              aria-current={chosen === step.name ? 'true' : undefined}
              className={`grid grid-cols-[minmax(0,10rem)_6.5rem_minmax(0,1fr)_5rem] items-center gap-x-3 px-4 py-2 max-sm:grid-cols-2 hover:bg-raised focus-visible:-outline-offset-2 ${chosen === step.name ? 'bg-raised' : ''}`}
            >
              <span className="min-w-0">
                <span className="block truncate font-medium">{step.name}</span>
                <span className="block truncate text-2xs text-muted">
                  {step.needs.length === 0 ? 'needs nothing' : `after ${step.needs.join(', ')}`}
                  {critical.has(step.name) ? ' · critical path' : ''}
                </span>
              </span>
              <span>
                <Badge tone={BUILD_TONES[step.status] ?? 'none'}>{step.status}</Badge>
              </span>
              <span className="min-w-0">
                <span aria-hidden className="relative block h-2 rounded-full bg-raised">
                  {from !== null && step.durationMs !== null && (
                    <span
                      className={`bar-fill absolute h-2 min-w-1 rounded-full ${step.status === 'failed' || step.status === 'timed-out' ? 'bg-bad' : critical.has(step.name) ? 'bg-accent' : 'bg-strong'}`}
                      style={{ left: share(from), width: share(step.durationMs) }}
                    />
                  )}
                </span>
                {step.problem !== null && (
                  <span className="block text-xs break-words text-bad">{step.problem}</span>
                )}
              </span>
              <span className="text-right text-xs text-muted">
                {step.durationMs === null ? '' : elapsed(step.durationMs)}
              </span>
            </Link>
          </li>
        );
      })}
    </ol>
  );
}
