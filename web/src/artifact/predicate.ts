import type { ArtifactEvidence } from '../api/types.ts';

/** What the pages read out of predicates. They were signed, but what they hold came from lockfiles and build steps: text. */

type Json = Readonly<Record<string, unknown>>;

export interface Component {
  name: string;
  version: string;
  type: string;
  licences: string;
  purl: string;
  scope: string;
}

export function componentsOf(evidence: readonly ArtifactEvidence[]): Component[] {
  const sbom = evidence.find((item) => item.kind === 'sbom' && item.predicate !== null);
  return list(sbom?.predicate?.components).map((component) => ({
    name: [text(component.group), text(component.name)].filter((part) => part !== '').join('/'),
    version: text(component.version),
    type: text(component.type),
    licences: licencesOf(component.licenses),
    purl: text(component.purl),
    scope: text(component.scope),
  }));
}

function licencesOf(value: unknown): string {
  return list(value)
    .map((item) => {
      const licence = object(item.license);
      return text(item.expression) || text(licence.id) || text(licence.name);
    })
    .filter((name) => name !== '')
    .join(', ');
}

export interface ProvenanceFacts {
  builder: string;
  repository: string;
  commit: string;
  sandbox: string;
  materials: { uri: string; digest: string }[];
}

export function provenanceOf(evidence: readonly ArtifactEvidence[]): ProvenanceFacts | null {
  const item = evidence.find((one) => one.kind === 'provenance' && one.predicate !== null);
  if (!item?.predicate) return null;
  const definition = object(item.predicate.buildDefinition);
  const external = object(definition.externalParameters);
  return {
    builder: text(object(object(item.predicate.runDetails).builder).id),
    repository: text(external.repository),
    commit: text(external.commit),
    sandbox: text(object(definition.internalParameters).sandbox),
    materials: list(definition.resolvedDependencies).map((material) => ({
      uri: text(material.uri),
      digest: Object.entries(object(material.digest))
        .map(([algorithm, value]) => `${algorithm}:${text(value)}`)
        .join(' '),
    })),
  };
}

export interface TestFacts {
  passed: number;
  failed: number;
  skipped: number;
}

export function testsOf(evidence: readonly ArtifactEvidence[]): TestFacts | null {
  const item = evidence.find((one) => one.kind === 'test' && one.predicate !== null);
  if (!item?.predicate) return null;
  const sum = (key: string) =>
    list(item.predicate?.reports).reduce((total, report) => total + (Number(report[key]) || 0), 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
