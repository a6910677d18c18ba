/**
 * The strategies every platform has; a document of the same name replaces one. Written as the YAML a platform folder would
 * hold, so that they can be read, copied and changed.
 */
export const PRESET_STRATEGIES = `# For what must not break: small steps, both arms fresh, every step proven before the next.
apiVersion: slipway.dev/v1
kind: Strategy
name: canary-careful
type: canary
canaryInstances: 3
baselineInstances: 3
progressDeadline: 12h
steps:
  - { weight: 1%, for: 5m, require: pass, deadline: 2h }
  - { weight: 5%, for: 10m, require: pass, deadline: 2h }
  - { weight: 10%, for: 10m, require: pass, deadline: 2h }
  - { weight: 25%, for: 15m, require: pass, deadline: 2h }
  - { weight: 50%, for: 15m, require: pass, deadline: 2h }
analysis:
  latency: [{ quantile: p50 }, { quantile: p95 }, { quantile: p99 }]
  warmup: 30s
---
# The one to start with.
apiVersion: slipway.dev/v1
kind: Strategy
name: canary-standard
type: canary
canaryInstances: 2
baselineInstances: 2
progressDeadline: 4h
steps:
  - { weight: 5%, for: 2m, require: pass, deadline: 1h }
  - { weight: 20%, for: 5m, require: pass, deadline: 1h }
  - { weight: 50%, for: 5m, require: pass, deadline: 1h }
analysis:
  latency: [{ quantile: p95 }, { quantile: p99 }]
  warmup: 15s
---
# Its steps follow from the traffic: as large and as short as a version that fails altogether may be, if it is to cost no
# more than 0.2 % of a month's error budget. The steps written here are for traffic that is not known, or too little.
apiVersion: slipway.dev/v1
kind: Strategy
name: canary-budgeted
type: canary
canaryInstances: 2
baselineInstances: 2
progressDeadline: 12h
steps:
  - { weight: 1%, for: 5m, require: pass, deadline: 2h }
  - { weight: 5%, for: 10m, require: pass, deadline: 2h }
  - { weight: 10%, for: 10m, require: pass, deadline: 2h }
  - { weight: 25%, for: 15m, require: pass, deadline: 2h }
  - { weight: 50%, for: 15m, require: pass, deadline: 2h }
analysis:
  latency: [{ quantile: p95 }, { quantile: p99 }]
  warmup: 15s
  budget: { objective: 99.9%, period: 30d, share: 0.2%, steps: from-traffic }
---
# For internal services with much traffic: a failed analysis stops it, a pass is waited for only once.
apiVersion: slipway.dev/v1
kind: Strategy
name: canary-fast
type: canary
canaryInstances: 1
baselineInstances: 1
progressDeadline: 1h
steps:
  - { weight: 10%, for: 30s }
  - { weight: 50%, for: 1m, require: pass, deadline: 20m }
analysis:
  latency: [{ quantile: p99 }]
  warmup: 10s
---
# The new version stands ready without traffic, then takes all of it at once.
apiVersion: slipway.dev/v1
kind: Strategy
name: blue-green
type: blue-green
steps:
  - { weight: 0%, for: 10s }
---
# A few steps by time alone; readiness decides.
apiVersion: slipway.dev/v1
kind: Strategy
name: rolling
type: rolling
steps:
  - { weight: 25%, for: 5s }
  - { weight: 50%, for: 5s }
  - { weight: 75%, for: 5s }
---
# Development: as soon as it is ready.
apiVersion: slipway.dev/v1
kind: Strategy
name: all-at-once
type: all-at-once
drain: 5s
`;
