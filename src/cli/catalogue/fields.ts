import type {
  Artifact,
  Build,
  LedgerEntry,
  LedgerReport,
  MatrixService,
  NewToken,
  PlatformApplied,
  PlatformCheck,
  Promotion,
  Registered,
  Release,
  Rollout,
  Token,
  Why,
} from '../api/types.ts';

/** Fields of each command's JSON. They are the API's own and only ever added to; a test holds them against openapi.json. */
const of =
  <View>() =>
  <const Fields extends readonly (keyof View & string)[]>(...fields: Fields): Fields =>
    fields;

export const SERVICE_STATUS = of<MatrixService>()(
  'name',
  'repositoryUrl',
  'branch',
  'pollProblem',
  'latest',
  'cells',
);

export const REGISTERED = of<Registered>()(
  'name',
  'repository',
  'branch',
  'createdAt',
  'polledAt',
  'problem',
  'created',
  'hook',
);

export const RELEASE = of<Release>()(
  'id',
  'service',
  'number',
  'status',
  'problem',
  'digest',
  'buildId',
  'configDigest',
  'createdBy',
  'createdAt',
  'finishedAt',
  'commit',
  'promotions',
);

export const BUILD = of<Build>()(
  'id',
  'releaseId',
  'service',
  'commit',
  'purpose',
  'status',
  'sandbox',
  'digest',
  'problem',
  'cacheHits',
  'cancelRequestedBy',
  'createdAt',
  'startedAt',
  'finishedAt',
  'durationMs',
  'inputsDigest',
  'toolchain',
  'steps',
  'criticalPath',
  'report',
);

export const PROMOTION = of<Promotion>()(
  'id',
  'service',
  'environment',
  'digest',
  'releaseId',
  'kind',
  'status',
  'reason',
  'decisionId',
  'rolloutId',
  'requestedBy',
  'createdAt',
  'statusAt',
  'deadlineAt',
  'endedAt',
  'approvals',
);

export const ROLLOUT = of<Rollout>()(
  'id',
  'service',
  'environment',
  'kind',
  'digest',
  'previousDigest',
  'releaseNumber',
  'previousReleaseNumber',
  'commit',
  'promotionId',
  'phase',
  'stepIndex',
  'steps',
  'strategy',
  'instances',
  'weights',
  'paused',
  'turnedBack',
  'reasons',
  'verdict',
  'verdictReason',
  'generation',
  'createdAt',
  'updatedAt',
  'exposedAt',
  'zeroTrafficAt',
  'endedAt',
  'outcome',
  'listenPort',
);

export const WHY = of<Why>()('subject', 'service', 'environment', 'digest', 'runningIn', 'chain');

export const ARTIFACT = of<Artifact>()(
  'digest',
  'service',
  'repository',
  'buildId',
  'commit',
  'mediaType',
  'sizeBytes',
  'createdAt',
  'evidence',
  'decisions',
  'rollouts',
  'runningIn',
);

export const ENTRY = of<LedgerEntry>()(
  'index',
  'kind',
  'at',
  'actor',
  'service',
  'environment',
  'subject',
  'leafHash',
  'body',
);

export const LEDGER_REPORT = of<LedgerReport>()(
  'ok',
  'size',
  'root',
  'checkpoints',
  'problems',
  'truncated',
  'artifacts',
);

export const TOKEN = of<Token>()('id', 'name', 'roles', 'createdAt', 'expiresAt', 'revokedAt', 'state');

export const NEW_TOKEN = of<NewToken>()(
  'id',
  'name',
  'roles',
  'createdAt',
  'expiresAt',
  'revokedAt',
  'state',
  'token',
);

export const PLATFORM_APPLIED = of<PlatformApplied>()('digest', 'changed');

export const PLATFORM_CHECK = of<PlatformCheck>()('valid', 'diagnostics');

/** What every line of a watch carries beside the thing itself. */
export const WATCH = ['event', 'exit'] as const;
