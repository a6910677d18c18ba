import { canonicalJson } from '../../kernel/canonical.ts';
import { sha256 } from '../../kernel/digest.ts';
import type { ApprovalRow, PromotionRow, ReleaseRow } from './store.ts';

/** An approval holds for exactly this commit, digest, environment and policy; any change of one voids it. */
export function bindingOf(
  promotion: Pick<PromotionRow, 'digest' | 'environment'>,
  release: Pick<ReleaseRow, 'commit_sha'> | undefined,
  policyHash: string,
): string {
  const { digest, environment } = promotion;
  return sha256(
    canonicalJson({ commit: release?.commit_sha ?? null, digest, environment, policy: policyHash }),
  );
}

export function countApprovals(
  approvals: readonly ApprovalRow[],
  binding: string,
): { approved: number; rejectedBy: string | null } {
  const bound = approvals.filter((approval) => approval.binding === binding);
  const rejection = approvals.find((approval) => approval.answer === 'reject');
  return {
    approved: new Set(
      bound.filter((approval) => approval.answer === 'approve').map((approval) => approval.actor),
    ).size,
    rejectedBy: rejection ? `${rejection.actor}: ${rejection.reason}` : null,
  };
}
