import type { Diagnostic } from '../../kernel/errors.ts';
import type { AccessDocument } from './access-schema.ts';
import type { EnvironmentDocument } from './environment-schema.ts';
import type { PolicyDocument } from './policy-schema.ts';
import { type Placed, type Problems, problem } from './problem.ts';
import { duplicates, findCircle } from './service-check.ts';
import { checkStrategy } from './strategy-check.ts';
import type { StrategyDocument } from './strategy-schema.ts';
import { nearest } from './suggest.ts';
import type { Path, YamlDocument } from './yaml-reader.ts';

export interface PlatformDocuments {
  environments: readonly Placed<EnvironmentDocument>[];
  strategies: readonly Placed<StrategyDocument>[];
  policies: readonly Placed<PolicyDocument>[];
  access: readonly Placed<AccessDocument>[];
}

/** What the shapes cannot say about a platform. `presets` and `roles` exist without being written down. */
export function checkPlatform(
  all: PlatformDocuments,
  presets: readonly string[],
  roles: readonly string[],
): Problems {
  const strategies = [...presets, ...all.strategies.map((one) => one.value.name)];
  const knownRoles = [...roles, ...all.access.flatMap((one) => Object.keys(one.value.roles))];
  return [
    ...unique('environment', all.environments),
    ...unique('strategy', all.strategies),
    ...unique('policy', all.policies),
    ...checkEnvironments(all, strategies, knownRoles),
    ...all.strategies.flatMap(checkStrategy),
    ...all.policies.flatMap(checkPolicy),
    ...checkAccess(all, roles, knownRoles),
  ];
}

function unknown(
  at: YamlDocument,
  path: Path,
  kind: string,
  name: string,
  known: readonly string[],
): Diagnostic {
  const guess = nearest(name, known);
  const hint = guess ? `Did you mean "${guess}"?` : `Known: ${[...new Set(known)].join(', ') || 'none'}.`;
  return problem(at, path, `there is no ${kind} "${name}"`, hint);
}

function unique(kind: string, documents: readonly Placed<{ name: string }>[]): Problems {
  return duplicates(documents.map((one) => one.value.name)).map((index) => {
    const { value, at } = documents[index]!;
    const first = documents.find((one) => one.value.name === value.name)!.at.locate(['name']);
    return problem(
      at,
      ['name'],
      `the ${kind} "${value.name}" stands twice`,
      `It stands first in ${first.file}:${first.line}.`,
    );
  });
}

function checkEnvironments(
  all: PlatformDocuments,
  strategies: readonly string[],
  roles: readonly string[],
): Problems {
  const names = all.environments.map((one) => one.value.name);
  const policies = all.policies.map((one) => one.value.name);
  const ports = new Map<number, string>();
  const problems: Problems = [];
  for (const { value, at } of all.environments) {
    const { after, promotion, listenPort } = value;
    if (value.name === 'default') {
      problems.push(
        problem(
          at,
          ['name'],
          'no environment may be called "default"',
          '"default" means the rest in instances.',
        ),
      );
    }
    if (after !== undefined && !names.includes(after))
      problems.push(unknown(at, ['after'], 'environment', after, names));
    if (!strategies.includes(value.strategy)) {
      problems.push(unknown(at, ['strategy'], 'strategy', value.strategy, strategies));
    }
    value.policies.forEach((policy, index) => {
      if (!policies.includes(policy))
        problems.push(unknown(at, ['policies', index], 'policy', policy, policies));
    });
    for (const index of duplicates(value.policies)) {
      problems.push(
        problem(at, ['policies', index], `the policy "${value.policies[index]}" stands twice`, 'Remove one.'),
      );
    }
    if (promotion.soak >= promotion.deadline) {
      const hint = 'A promotion would expire before its soak time has passed.';
      problems.push(problem(at, ['promotion', 'soak'], 'soak: expected less than the deadline', hint));
    }
    if (promotion.soak > 0 && after === undefined) {
      const hint = 'Name the environment the digest soaks in as "after".';
      problems.push(problem(at, ['promotion', 'soak'], 'soak needs an environment before this one', hint));
    }
    promotion.approvals?.from.forEach((from, index) => {
      if (!from.includes(':') && !roles.includes(from)) {
        problems.push(unknown(at, ['promotion', 'approvals', 'from', index], 'role', from, roles));
      }
    });
    const other = listenPort === undefined ? undefined : ports.get(listenPort);
    if (other)
      problems.push(
        problem(at, ['listenPort'], `the environment "${other}" has this port`, 'Ports are unique.'),
      );
    if (listenPort !== undefined) ports.set(listenPort, value.name);
  }
  return [...problems, ...checkChain(all.environments)];
}

function checkChain(environments: PlatformDocuments['environments']): Problems {
  const graph = new Map(
    environments.map(({ value }) => [value.name, value.after === undefined ? [] : [value.after]]),
  );
  const circle = findCircle(graph);
  if (!circle) return [];
  const { at } = environments.find(({ value }) => value.name === circle[0])!;
  return [
    problem(
      at,
      ['after'],
      `environments go in a circle: ${circle.join(' after ')}`,
      'Leave "after" out of the first.',
    ),
  ];
}

function checkPolicy({ value, at }: Placed<PolicyDocument>): Problems {
  return duplicates(value.tests.map((test) => test.name)).map((index) =>
    problem(
      at,
      ['tests', index, 'name'],
      `the test "${value.tests[index]!.name}" stands twice`,
      'Test names are unique.',
    ),
  );
}

function checkAccess(all: PlatformDocuments, builtin: readonly string[], roles: readonly string[]): Problems {
  const environments = all.environments.map((one) => one.value.name);
  const seen = new Set<string>();
  const problems: Problems = [];
  for (const { value, at } of all.access) {
    for (const role of Object.keys(value.roles)) {
      if (role === 'admin') {
        const hint = `Builtin roles: ${builtin.join(', ')}; all but admin may be replaced.`;
        problems.push(problem(at, ['roles', role], 'the role "admin" cannot be redefined', hint, 'key'));
      }
      if (seen.has(role))
        problems.push(problem(at, ['roles', role], `the role "${role}" stands twice`, 'Remove one.', 'key'));
      seen.add(role);
    }
    value.grants.forEach((grant, index) => {
      if (!roles.includes(grant.role))
        problems.push(unknown(at, ['grants', index, 'role'], 'role', grant.role, roles));
      grant.environments.forEach((name, i) => {
        if (name !== '*' && !environments.includes(name)) {
          problems.push(unknown(at, ['grants', index, 'environments', i], 'environment', name, environments));
        }
      });
    });
  }
  return problems;
}
