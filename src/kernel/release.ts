/** queued: seen, not started. building: its build runs. built: an artifact with evidence is in the registry. */
export type ReleaseStatus = 'queued' | 'building' | 'built' | 'failed' | 'cancelled';

/**
 * gating: policies are evaluated. awaiting-approval: a named person must say yes. waiting: soak time, or the lane is busy.
 * rolling: its rollout runs. The rest are terminal.
 */
export type PromotionStatus =
  | 'waiting'
  | 'gating'
  | 'awaiting-approval'
  | 'rolling'
  | 'succeeded'
  | 'denied'
  | 'rejected'
  | 'rolled-back'
  | 'failed'
  | 'expired'
  | 'cancelled'
  | 'superseded';

export const TERMINAL_PROMOTIONS = [
  'succeeded',
  'denied',
  'rejected',
  'rolled-back',
  'failed',
  'expired',
  'cancelled',
  'superseded',
] as const;

export type StepStatus =
  | 'waiting'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'cached'
  | 'skipped'
  | 'cancelled'
  | 'timed-out';
