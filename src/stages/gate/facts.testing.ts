import type { PolicyConfig } from '../../kernel/config.ts';
import { FACTS, type Facts, type FactType, isRecord } from './facts.ts';

/** Facts of a release with nothing wrong, for tests. */
export const GOOD_FACTS = {
  artifact: {
    digest: `sha256:${'a'.repeat(64)}`,
    repository: 'shop',
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    sizeBytes: 1_234_567,
  },
  commit: {
    sha: 'c'.repeat(40),
    author: 'Ada Okafor',
    signature: 'good',
    committedAt: '2026-03-02T09:12:00.000Z',
    message: 'Storefront: browse, search',
  },
  service: { name: 'shop' },
  environment: { name: 'prod', production: true },
  evidence: {
    provenance: {
      present: true,
      verified: true,
      key: 'build',
      builderId: 'https://slipway.dev/builder',
      repository: 'https://forge.example/shop.git',
      commit: 'c'.repeat(40),
    },
    sbom: { present: true, verified: true, key: 'build', components: 12 },
    test: { present: true, verified: true, key: 'build', passed: 14, failed: 0 },
    scan: { present: true, verified: true, key: 'scan', critical: 0, high: 1, databaseAgeS: 3_600 },
    signature: { present: true, verified: true, key: 'build' },
  },
  history: { succeededIn: ['dev', 'staging'], rolledBackHere: false },
  release: { number: 7 },
} as const satisfies Facts;

export function policy(allow: string, more: Partial<PolicyConfig> = {}): PolicyConfig {
  return { name: 'policy', description: '', severity: 'block', allow, message: 'No.', tests: [], ...more };
}

/** Paths of all facts, such as `['commit', 'sha']`. */
export function factPaths(type: FactType = FACTS, path: readonly string[] = []): string[][] {
  if (type.kind !== 'object') return [[...path]];
  return Object.entries(type.fields).flatMap(([name, inner]) => factPaths(inner, [...path, name]));
}

/** A copy of `facts` with another value at `path`; undefined removes it. */
export function withFact(facts: unknown, path: readonly string[], value: unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = isRecord(facts) ? { ...facts } : {};
  const [name, ...rest] = path;
  if (name === undefined) return copy;
  if (rest.length > 0) copy[name] = withFact(copy[name], rest, value);
  else if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}
