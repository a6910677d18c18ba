import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type PromotionStatus, TERMINAL_PROMOTIONS } from '../../kernel/release.ts';
import { TERMINAL_PHASES } from '../../kernel/rollout.ts';
import { type PromotionMove, type PromotionSituation, planPromotion } from './plan.ts';

const DEADLINE = 100_000;
const promotion = { automatic: true, soakS: 0, approvals: null, deadlineS: 100 };
const asks = { ...promotion, approvals: { count: 2, from: ['release-managers'], notAuthor: true } };
const allow = { outcome: 'allow' as const, reason: 'every policy allows it' };

function situation(more: Partial<PromotionSituation> = {}): PromotionSituation {
  return {
    nowMs: 1_000,
    status: 'waiting',
    kind: 'planned',
    deadlineMs: DEADLINE,
    environment: { after: null, promotion },
    succeededBeforeMs: null,
    newerWaiting: null,
    laneBusy: false,
    decision: null,
    approvals: { approved: 0, rejectedBy: null },
    rollout: null,
    ...more,
  };
}

const brief = (move: PromotionMove) =>
  'status' in move
    ? `${move.kind} ${move.status}`
    : move.kind === 'stay'
      ? `stay ${move.wakeAtMs}`
      : move.kind;

const after = { after: 'staging', promotion };
const soaks = { after: 'staging', promotion: { ...promotion, soakS: 10 } };

const TABLE: readonly [string, Partial<PromotionSituation>, string][] = [
  ['first environment: on to the gate', {}, 'become gating'],
  ['not yet in the environment before', { environment: after }, `stay ${DEADLINE}`],
  ['in the environment before', { environment: after, succeededBeforeMs: 500 }, 'become gating'],
  ['soaking', { environment: soaks, succeededBeforeMs: 500 }, 'stay 10500'],
  [
    'soaked to the millisecond',
    { environment: soaks, succeededBeforeMs: 500, nowMs: 10_500 },
    'become gating',
  ],
  [
    'soak ends after the deadline',
    { environment: soaks, succeededBeforeMs: 99_000, nowMs: 99_500 },
    `stay ${DEADLINE}`,
  ],
  ['a rollback soaks nowhere', { environment: soaks, kind: 'rollback' }, 'become gating'],
  ['a hotfix soaks like any other', { environment: after, kind: 'hotfix' }, `stay ${DEADLINE}`],
  ['lane taken while waiting', { laneBusy: true }, 'stay 3000'],
  ['lane taken while gating', { status: 'gating', laneBusy: true, decision: allow }, 'stay 3000'],
  ['gating asks the gate', { status: 'gating' }, 'ask-gate'],
  ['allowed', { status: 'gating', decision: allow }, 'start-rollout'],
  ['a warning passes', { status: 'gating', decision: { outcome: 'warn', reason: 'old' } }, 'start-rollout'],
  ['denied', { status: 'gating', decision: { outcome: 'deny', reason: 'no' } }, 'end denied'],
  [
    'allowed, approval needed',
    { status: 'gating', decision: allow, environment: { after: null, promotion: asks } },
    'become awaiting-approval',
  ],
  [
    'denied before anybody is asked',
    {
      status: 'gating',
      decision: { outcome: 'deny', reason: 'no' },
      environment: { after: null, promotion: asks },
    },
    'end denied',
  ],
  [
    'nobody approved',
    { status: 'awaiting-approval', environment: { after: null, promotion: asks } },
    `stay ${DEADLINE}`,
  ],
  [
    'one of two approved',
    {
      status: 'awaiting-approval',
      approvals: { approved: 1, rejectedBy: null },
      environment: { after: null, promotion: asks },
    },
    `stay ${DEADLINE}`,
  ],
  [
    'approved: the gate is asked again',
    {
      status: 'awaiting-approval',
      approvals: { approved: 2, rejectedBy: null },
      environment: { after: null, promotion: asks },
    },
    'ask-gate',
  ],
  [
    'approved and still allowed',
    {
      status: 'awaiting-approval',
      decision: allow,
      approvals: { approved: 2, rejectedBy: null },
      environment: { after: null, promotion: asks },
    },
    'start-rollout',
  ],
  [
    'approved, denied meanwhile',
    {
      status: 'awaiting-approval',
      decision: { outcome: 'deny', reason: 'no' },
      approvals: { approved: 2, rejectedBy: null },
      environment: { after: null, promotion: asks },
    },
    'end denied',
  ],
  [
    'refused by one',
    {
      status: 'awaiting-approval',
      approvals: { approved: 2, rejectedBy: 'bob: no' },
      environment: { after: null, promotion: asks },
    },
    'end rejected',
  ],
  [
    'the approvals were for another policy than the one decided by now',
    { status: 'awaiting-approval', decision: allow, environment: { after: null, promotion: asks } },
    'become awaiting-approval',
  ],
  [
    'a rollback needs no approval',
    { status: 'gating', kind: 'rollback', decision: allow, environment: { after: null, promotion: asks } },
    'start-rollout',
  ],
  ['past the deadline while waiting', { nowMs: DEADLINE }, 'end expired'],
  ['past the deadline while gating', { status: 'gating', nowMs: DEADLINE, decision: allow }, 'end expired'],
  ['past the deadline while awaiting', { status: 'awaiting-approval', nowMs: DEADLINE }, 'end expired'],
  ['a newer one waits', { newerWaiting: 'pro_2' }, 'end superseded'],
  ['a newer one waits, ours is a hotfix', { newerWaiting: 'pro_2', kind: 'hotfix' }, 'become gating'],
  [
    'rolling: neither deadline nor newer end it',
    { status: 'rolling', nowMs: DEADLINE, newerWaiting: 'pro_2', rollout: { outcome: null, reason: '' } },
    'stay 160000',
  ],
  [
    'its rollout succeeded',
    { status: 'rolling', rollout: { outcome: 'succeeded', reason: '' } },
    'end succeeded',
  ],
  [
    'its rollout was rolled back',
    { status: 'rolling', rollout: { outcome: 'rolled-back', reason: '' } },
    'end rolled-back',
  ],
  [
    'its rollout was aborted',
    { status: 'rolling', rollout: { outcome: 'aborted', reason: '' } },
    'end cancelled',
  ],
  ['its rollout failed', { status: 'rolling', rollout: { outcome: 'failed', reason: '' } }, 'end failed'],
  [
    'its rollout was superseded',
    { status: 'rolling', rollout: { outcome: 'superseded', reason: '' } },
    'end superseded',
  ],
  ['its rollout is not there', { status: 'rolling' }, 'end failed'],
];

for (const [name, more, expected] of TABLE) {
  test(name, () => assert.equal(brief(planPromotion(situation(more))), expected));
}

const anySituation = fc.record({
  nowMs: fc.integer({ min: 0, max: 200_000 }),
  status: fc.constantFrom<PromotionStatus>('waiting', 'gating', 'awaiting-approval', 'rolling'),
  kind: fc.constantFrom('planned' as const, 'hotfix' as const, 'rollback' as const),
  deadlineMs: fc.constant(DEADLINE),
  environment: fc.record({
    after: fc.constantFrom(null, 'staging'),
    promotion: fc.record({
      automatic: fc.boolean(),
      soakS: fc.integer({ min: 0, max: 200 }),
      approvals: fc.constantFrom(null, asks.approvals),
      deadlineS: fc.constant(100),
    }),
  }),
  succeededBeforeMs: fc.option(fc.integer({ min: 0, max: 200_000 })),
  newerWaiting: fc.constantFrom(null, 'pro_2'),
  laneBusy: fc.boolean(),
  decision: fc.option(
    fc.record({
      outcome: fc.constantFrom('allow' as const, 'warn' as const, 'deny' as const),
      reason: fc.constant('x'),
    }),
  ),
  approvals: fc.record({
    approved: fc.integer({ min: 0, max: 3 }),
    rejectedBy: fc.constantFrom(null, 'bob'),
  }),
  rollout: fc.option(
    fc.record({ outcome: fc.constantFrom(null, ...TERMINAL_PHASES), reason: fc.constant('x') }),
  ),
});

test('laws: a start was gated, approved and alone in its lane; every wait has an end', () => {
  fc.assert(
    fc.property(anySituation, (given) => {
      const move = planPromotion(given);
      if (move.kind === 'start-rollout') {
        assert.ok(given.decision !== null && given.decision.outcome !== 'deny');
        assert.ok(!given.laneBusy && given.nowMs < DEADLINE && given.approvals.rejectedBy === null);
        const rule = given.environment.promotion.approvals;
        assert.ok(rule === null || given.kind === 'rollback' || given.approvals.approved >= rule.count);
      }
      if (move.kind === 'stay') {
        assert.ok(move.wakeAtMs > given.nowMs || given.status === 'rolling');
        assert.ok(move.wakeAtMs <= DEADLINE || given.status === 'rolling');
      }
      if (move.kind === 'end') assert.ok((TERMINAL_PROMOTIONS as readonly string[]).includes(move.status));
      assert.deepEqual(planPromotion(given), move);
    }),
    { numRuns: 5_000 },
  );
});
