import type { LedgerEntry, Rollout } from '../api/types.ts';
import { Panel } from '../parts/panel.tsx';
import { duration } from '../time/format.ts';
import { useSecond } from '../time/now.ts';
import { peakWeight, stepSettledAt } from './history.ts';

interface Column {
  weight: number;
  rule: string;
  state: 'done' | 'here' | 'ahead' | 'left' | 'turned';
}

/** The steps as a staircase: how far it has come, how long it has been where it is, and what it waits for. */
export function Ramp({ rollout, entries }: { rollout: Rollout; entries: readonly LedgerEntry[] }) {
  const now = useSecond();
  const columns = columnsOf(rollout);
  const step = rollout.steps[rollout.stepIndex];
  const settled = stepSettledAt(entries, rollout.stepIndex);
  const held = settled === null ? null : (now - settled) / 1_000;
  const { stable, baseline, canary } = rollout.weights;
  return (
    <Panel title="Ramp" aside={<span>{rollout.strategy}</span>}>
      <ol className="flex h-24 items-end gap-1.5" aria-label="Steps">
        {columns.map((column, i) => (
          <li
            // biome-ignore lint/suspicious/noArrayIndexKey: steps are known by their place
            key={i}
            aria-current={column.state === 'here' ? 'step' : undefined}
            className="flex h-full min-w-0 flex-1 flex-col justify-end gap-1"
          >
            <span className={`text-xs ${column.state === 'here' ? 'font-semibold' : 'text-muted'}`}>
              {column.weight} %<span className="sr-only">, {STATE_WORDS[column.state]}</span>
            </span>
            <span
              className={`w-full rounded-sm border ${BAR[column.state]}`}
              style={{ height: `${6 + column.weight * 0.5}px` }}
            />
          </li>
        ))}
      </ol>
      <div className="mt-1 flex gap-1.5 text-2xs text-muted">
        {columns.map((column, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps are known by their place
          <span key={i} className="min-w-0 flex-1">
            {column.rule}
          </span>
        ))}
      </div>
      <p className="mt-3 text-sm">
        {rollout.endedAt !== null
          ? `It reached ${Math.max(peakWeight(entries), canary)} % of traffic.`
          : step === undefined || rollout.phase !== 'stepping'
            ? 'No step holds it now.'
            : held === null
              ? `Moving to ${step.weight} %.`
              : heldWords(held, step)}
      </p>
      <p className="mt-1 text-xs text-muted">
        Traffic now: canary {canary} %{baseline > 0 ? `, baseline ${baseline} %` : ''}, stable {stable} %.
      </p>
    </Panel>
  );
}

const STATE_WORDS = {
  done: 'passed',
  here: 'it is here',
  ahead: 'ahead',
  left: 'not reached',
  turned: 'it turned back here',
} as const;

const BAR = {
  done: 'border-accent/60 bg-accent/35',
  here: 'border-accent bg-accent',
  ahead: 'border-strong border-dashed bg-transparent',
  left: 'border-line bg-raised',
  turned: 'border-bad bg-bad-soft',
} as const;

function columnsOf(rollout: Rollout): Column[] {
  const over = rollout.endedAt !== null;
  const through = ['promoting', 'finishing', 'succeeded'].includes(rollout.phase);
  const steps = rollout.steps.map((step, i): Column => {
    const rule = [
      step.minimumS > 0 ? duration(step.minimumS) : '',
      step.requirePass ? 'proof' : '',
      step.manual ? 'a person' : '',
    ].filter((part) => part !== '');
    return {
      weight: step.weight,
      rule: rule.join(' + ') || 'no wait',
      state:
        through || i < rollout.stepIndex
          ? 'done'
          : i === rollout.stepIndex && rollout.phase === 'stepping'
            ? 'here'
            : over || rollout.phase === 'rolling-back'
              ? i === rollout.stepIndex && rollout.exposedAt !== null
                ? 'turned'
                : 'left'
              : 'ahead',
    };
  });
  const end: Column['state'] =
    rollout.phase === 'succeeded'
      ? 'done'
      : through
        ? 'here'
        : over || rollout.phase === 'rolling-back'
          ? 'left'
          : 'ahead';
  return [...steps, { weight: 100, rule: 'all traffic', state: end }];
}

function heldWords(held: number, step: Rollout['steps'][number]): string {
  const time =
    held < step.minimumS
      ? `Held ${duration(held)} of at least ${duration(step.minimumS)}.`
      : `Held ${duration(held)}; the minimum of ${duration(step.minimumS)} is over.`;
  const left = step.deadlineS - held;
  const wait = step.requirePass || step.manual;
  const deadline = wait && left > 0 ? ` It has to be decided in ${duration(left)}.` : '';
  return `${time}${deadline}`;
}
