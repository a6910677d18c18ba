import type { operations } from './schema.d.ts';

type JsonOf<Operation extends keyof operations, Status extends number> = operations[Operation] extends {
  responses: { [status in Status]: { content: { 'application/json': infer Body } } };
}
  ? Body
  : never;

export type Matrix = JsonOf<'matrix', 200>;
export type MatrixService = Matrix['services'][number];
export type Cell = MatrixService['cells'][number];
export type Environment = Matrix['environments'][number];
export type Sample = NonNullable<Cell['sample']>;
export type Rollout = JsonOf<'getRollout', 200>;
export type Evidence = JsonOf<'getRolloutEvidence', 200>;
export type EvidencePoint = Evidence['points'][number]['point'];
export type MetricEvidence = EvidencePoint['metrics'][number];
export type LedgerEntry = JsonOf<'getLedgerEntry', 200>;
export type Release = JsonOf<'getRelease', 200>;
export type Build = JsonOf<'getBuild', 200>;
export type BuildSummary = JsonOf<'listBuilds', 200>['builds'][number];
export type Artifact = JsonOf<'getArtifact', 200>;
export type ArtifactEvidence = Artifact['evidence'][number];
export type Promotion = JsonOf<'getPromotion', 200>;
export type Decision = JsonOf<'getDecision', 200>;
export type Policy = JsonOf<'listPolicies', 200>['policies'][number];
export type RollbackTarget = JsonOf<'rollbackTargets', 200>['targets'][number];
export type Why = JsonOf<'why', 200>;
export type Me = JsonOf<'getMe', 200>;
export type LedgerReport = JsonOf<'verifyLedger', 200>;
export type InclusionProof = JsonOf<'getLedgerInclusionProof', 200>;
