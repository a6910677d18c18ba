/**
 * dev -> prod, with short steps. Prod has a canary beside a baseline; `held` takes only what a person promotes and another
 * approves; nothing but a signed provenance is asked for.
 */
export function platformFiles(options: { prodPort?: number; holdMs?: number } = {}): Record<string, string> {
  const { prodPort, holdMs = 700 } = options;
  return {
    'environments.yaml': `${document('Environment', 'dev', 'policies: [signed-provenance]\nstrategy: quick')}
---
${document(
  'Environment',
  'prod',
  `after: dev
production: true
policies: [signed-provenance]
strategy: quick-canary${prodPort === undefined ? '' : `\nlistenPort: ${prodPort}`}`,
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
      'type: all-at-once\ndrain: 1s\nreadyDeadline: 30s\nprogressDeadline: 2m',
    )}
---
${document(
  'Strategy',
  'quick-canary',
  `type: canary
canaryInstances: 1
baselineInstances: 1
drain: 1s
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
