import type { PlatformConfig } from '../../kernel/config.ts';
import type { Diagnostic } from '../../kernel/errors.ts';
import type { ServiceDocument } from './service-schema.ts';
import { nearest } from './suggest.ts';
import type { YamlDocument } from './yaml-reader.ts';

/** What the shape of a service cannot say: names that must exist, once, and without a circle. */
export function checkService(
  service: ServiceDocument,
  document: YamlDocument,
  platform: PlatformConfig | undefined,
): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const report = (
    path: (string | number)[],
    message: string,
    hint: string,
    part: 'key' | 'value' = 'value',
  ) => diagnostics.push({ path: path.join('.'), message, hint, position: document.locate(path, part) });
  const { steps, image } = service.build;

  duplicates(steps.map((step) => step.name)).forEach((index) => {
    report(
      ['build', 'steps', index, 'name'],
      `the step "${steps[index]!.name}" stands twice`,
      'Step names are unique.',
    );
  });
  const names = steps.map((step) => step.name);
  steps.forEach((step, i) => {
    step.needs.forEach((need, j) => {
      if (names.includes(need)) return;
      const guess = nearest(need, names);
      const hint = guess ? `Did you mean "${guess}"?` : `Steps: ${names.join(', ')}.`;
      report(['build', 'steps', i, 'needs', j], `needs: there is no step "${need}"`, hint);
    });
  });
  const circle = findCircle(new Map(steps.map((step) => [step.name, step.needs])));
  if (circle) {
    const index = names.indexOf(circle[0]!);
    report(
      ['build', 'steps', index, 'needs'],
      `needs go in a circle: ${circle.join(' -> ')}`,
      'Remove one of them.',
      'key',
    );
  }
  const layerNames = image.layers.map((layer, index) => layer.name ?? `layer-${index + 1}`);
  duplicates(layerNames).forEach((index) => {
    const path = ['build', 'image', 'layers', index, ...(image.layers[index]!.name ? ['name'] : [])];
    report(path, `the layer "${layerNames[index]}" stands twice`, 'Layer names are unique.');
  });
  if (platform) checkNames(service, platform, report);
  return diagnostics;
}

type Report = (path: (string | number)[], message: string, hint: string, part?: 'key' | 'value') => void;

function checkNames(service: ServiceDocument, platform: PlatformConfig, report: Report): void {
  const environments = platform.environments.map((environment) => environment.name);
  const strategies = platform.strategies.map((strategy) => strategy.name);
  const unknown = (path: string[], kind: string, name: string, known: string[], part: 'key' | 'value') => {
    const guess = nearest(name, known);
    report(
      path,
      `there is no ${kind} "${name}"`,
      guess ? `Did you mean "${guess}"?` : `Known: ${known.join(', ')}.`,
      part,
    );
  };
  if (typeof service.run.instances !== 'number') {
    for (const name of Object.keys(service.run.instances)) {
      if (name !== 'default' && !environments.includes(name)) {
        unknown(['run', 'instances', name], 'environment', name, [...environments, 'default'], 'key');
      }
    }
  }
  for (const [name, strategy] of Object.entries(service.run.strategy)) {
    if (!environments.includes(name))
      unknown(['run', 'strategy', name], 'environment', name, environments, 'key');
    if (!strategies.includes(strategy))
      unknown(['run', 'strategy', name], 'strategy', strategy, strategies, 'value');
  }
}

/** Indexes of names that stood before. */
export function duplicates(names: readonly string[]): number[] {
  const seen = new Set<string>();
  return names.flatMap((name, index) => {
    if (seen.has(name)) return [index];
    seen.add(name);
    return [];
  });
}

/** One circle of the graph (first node repeated at the end), or null. Edges to unknown nodes are ignored. */
export function findCircle(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  for (const start of graph.keys()) {
    const path: string[] = [];
    const onPath = new Set<string>();
    const pending: { node: string; next: number }[] = [];
    const enter = (node: string) => {
      path.push(node);
      onPath.add(node);
      pending.push({ node, next: 0 });
    };
    if (!done.has(start)) enter(start);
    while (pending.length > 0) {
      const top = pending.at(-1)!;
      const target = graph.get(top.node)?.[top.next++];
      if (target === undefined) {
        done.add(top.node);
        onPath.delete(top.node);
        path.pop();
        pending.pop();
      } else if (onPath.has(target)) {
        return [...path.slice(path.indexOf(target)), target];
      } else if (graph.has(target) && !done.has(target)) {
        enter(target);
      }
    }
  }
  return null;
}
