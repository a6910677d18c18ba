import type { operations } from './schema.d.ts';

type Answers<Operation extends keyof operations> = operations[Operation]['responses'];
/** What a 200 or 201 of an operation carries. */
type AnswerOf<Operation extends keyof operations> =
  Answers<Operation> extends {
    200: { content: { 'application/json': infer Body } };
  }
    ? Body
    : Answers<Operation> extends { 201: { content: { 'application/json': infer Body } } }
      ? Body
      : never;

export type Matrix = AnswerOf<'matrix'>;
export type MatrixService = Matrix['services'][number];
export type Cell = MatrixService['cells'][number];
export type Service = AnswerOf<'getService'>;
export type Registered = AnswerOf<'registerService'>;
export type Release = AnswerOf<'getRelease'>;
export type Promotion = AnswerOf<'getPromotion'>;
export type Rollout = AnswerOf<'getRollout'>;
export type RollbackTarget = AnswerOf<'rollbackTargets'>['targets'][number];
export type Build = AnswerOf<'getBuild'>;
export type Artifact = AnswerOf<'getArtifact'>;
export type Why = AnswerOf<'why'>;
export type LedgerEntry = AnswerOf<'getLedgerEntry'>;
export type LedgerReport = AnswerOf<'verifyLedger'>;
export type LedgerProof = AnswerOf<'getLedgerInclusionProof'>;
export type LedgerKeys = AnswerOf<'listKeys'>;
export type Token = AnswerOf<'listTokens'>['tokens'][number];
export type NewToken = AnswerOf<'createToken'>;
export type PlatformApplied = AnswerOf<'applyPlatform'>;
export type PlatformCheck = AnswerOf<'validatePlatform'>;
