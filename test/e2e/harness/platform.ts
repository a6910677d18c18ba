export interface PlatformOptions {
  /** How long each of the three canary steps lasts. */
  holdMs?: number;
  /** Where the one service of `edge` listens. */
  edgePort?: number;
  /** false: nothing moves unless a person promotes it. */
  automatic?: boolean;
}

/**
 * dev -> prod, with short steps. Prod has a canary beside a baseline; `held` takes only what a person promotes and another
 * approves, `edge` what a person promotes; nothing but a signed provenance is asked for.
 */
export function platformFiles(options: PlatformOptions = {}): Record<string, string> {
  const { edgePort, holdMs = 500, automatic = true } = options;
  return {
    'environments.yaml': `${document(
      'Environment',
      'dev',
      `policies: [signed-provenance]\nstrategy: quick\npromotion: { automatic: ${automatic} }`,
    )}
---
${document(
  'Environment',
  'prod',
  `after: dev
production: true
policies: [signed-provenance]
strategy: quick-canary`,
)}
---
${document(
  'Environment',
  'held',
  `policies: [signed-provenance]
strategy: quick
promotion:
  automatic: false
  approvals: { count: 1, from: [admin], notAuthor: false }`,
)}
---
${document(
  'Environment',
  'edge',
  `policies: [signed-provenance]
strategy: impatient
promotion: { automatic: false }${edgePort === undefined ? '' : `\nlistenPort: ${edgePort}`}`,
)}`,
    'policies.yaml': document(
      'Policy',
      'signed-provenance',
      `allow: evidence.provenance.present && evidence.provenance.verified && evidence.provenance.key == "build"
message: no provenance signed by the build key`,
    ),
    'strategies.yaml': `${document(
      'Strategy',
      'quick',
      'type: all-at-once\ndrain: 300ms\nreadyDeadline: 30s\nprogressDeadline: 2m',
    )}
---
${document('Strategy', 'impatient', 'type: all-at-once\ndrain: 300ms\nreadyDeadline: 4s\nprogressDeadline: 1m')}
---
${document(
  'Strategy',
  'quick-canary',
  `type: canary
canaryInstances: 1
baselineInstances: 1
drain: 300ms
readyDeadline: 30s
progressDeadline: 2m
steps:
  - { weight: 20%, for: ${holdMs}ms }
  - { weight: 50%, for: ${holdMs}ms }
  - { weight: 80%, for: ${holdMs}ms }
analysis: { alpha: 0.01, warmup: 0s, errors: { failRho: 2, failDelta: 0.2, passDelta: 0.3 } }`,
)}`,
  };
}

function document(kind: string, name: string, rest: string): string {
  return `apiVersion: slipway.dev/v1\nkind: ${kind}\nname: ${name}\n${rest}\n`;
}
