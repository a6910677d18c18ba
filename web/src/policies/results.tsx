import type { Decision } from '../api/types.ts';
import { ToneIcon } from '../parts/tone.tsx';
import { OUTCOMES } from './decisions.tsx';

/** What each policy said, those against it first. */
export function Results({ results }: { results: Decision['results'] }) {
  const order = { deny: 0, warn: 1, allow: 2 };
  const sorted = [...results].sort((a, b) => order[a.outcome] - order[b.outcome]);
  return (
    <ul className="flex flex-col gap-1.5">
      {sorted.map(({ policy, outcome, severity, reason, missing }) => (
        <li key={policy} className="flex gap-2">
          <span className="mt-0.5">
            <ToneIcon tone={OUTCOMES[outcome].tone} />
          </span>
          <span className="min-w-0">
            <span className="font-medium">{policy}</span>
            <span className="text-muted">
              {' '}
              {OUTCOMES[outcome].word}
              {severity === 'warn' ? ' (only warns)' : ''}
            </span>
            <span className="block break-words">{reason}</span>
            {missing.length > 0 && (
              <span className="block text-xs text-muted">missing: {missing.join(', ')}</span>
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}
