import type { EnvironmentConfig, PlatformConfig } from '../../kernel/config.ts';
import { ROUTED_BY_WEIGHT } from '../../kernel/rollout.ts';

/** For tests: environments that let everything pass, and the one strategy they name. */
export function environment(name: string, more: Partial<EnvironmentConfig> = {}): EnvironmentConfig {
  return {
    name,
    after: null,
    production: false,
    policies: [],
    promotion: { automatic: true, soakS: 0, approvals: null, deadlineS: 3_600 },
    strategy: 'all-at-once',
    target: { kind: 'process' },
    listenPort: null,
    env: {},
    ...more,
  };
}

export const platformOf = (environments: readonly EnvironmentConfig[]): PlatformConfig => ({
  environments,
  strategies: [
    {
      name: 'all-at-once',
      kind: 'all-at-once',
      steps: [],
      canaryInstances: 1,
      baselineInstances: 0,
      progressDeadlineS: 600,
      readyDeadlineS: 60,
      drainS: 5,
      onInconclusive: 'rollback',
      analysis: null,
      routing: ROUTED_BY_WEIGHT,
    },
  ],
  policies: [],
  access: { roles: {}, grants: [] },
});
