import type {
  EnvironmentConfig,
  PlatformConfig,
  ServiceConfig,
  StrategyConfig,
} from '../../kernel/config.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { RolloutKind, RolloutSpec } from '../../kernel/rollout.ts';
import type { ReleaseRow } from './store.ts';

/** `not_found` names those there are. */
export function environmentOf(platform: PlatformConfig, name: string): EnvironmentConfig {
  const found = platform.environments.find((environment) => environment.name === name);
  if (found) return found;
  const known = platform.environments.map((environment) => environment.name).join(', ');
  throw new SlipwayError('not_found', `there is no environment ${name}`, {
    hint: `the platform has: ${known}`,
  });
}

/** The configuration a release was made with; a version without one cannot be started again. */
export function configOf(release: ReleaseRow | undefined): ServiceConfig {
  if (release === undefined || release.config === null)
    throw new SlipwayError('invalid_state', 'the version that runs has no recorded configuration');
  return release.config;
}

/** The strategy of the service for this environment, else the environment's own; a rollback goes all at once. */
export function specFor(
  platform: PlatformConfig,
  environment: EnvironmentConfig,
  config: ServiceConfig,
  kind: RolloutKind,
): RolloutSpec {
  const name =
    kind === 'rollback'
      ? 'all-at-once'
      : (config.run.strategy[environment.name] ?? config.run.strategy.default ?? environment.strategy);
  const strategy = platform.strategies.find((candidate) => candidate.name === name);
  if (strategy === undefined) throw new SlipwayError('invalid_config', `there is no strategy ${name}`);
  return toSpec(strategy, config.run.instances[environment.name] ?? config.run.instances.default ?? 1);
}

function toSpec(strategy: StrategyConfig, instances: number): RolloutSpec {
  const {
    kind,
    steps,
    canaryInstances,
    baselineInstances,
    progressDeadlineS,
    readyDeadlineS,
    drainS,
    onInconclusive,
    analysis,
    routing,
  } = strategy;
  return {
    strategy: kind,
    steps,
    instances,
    canaryInstances: Math.min(canaryInstances, instances),
    baselineInstances: Math.min(baselineInstances, instances),
    progressDeadlineS,
    readyDeadlineS,
    drainS,
    onInconclusive,
    analysis,
    routing,
  };
}
