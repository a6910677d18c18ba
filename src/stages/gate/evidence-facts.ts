import type { Evidence, EvidenceKind } from '../../kernel/evidence.ts';
import { type Facts, isRecord } from './facts.ts';

/**
 * From the referrers of an artifact to facts. An attacker may attach any number of referrers: only verified ones count, and
 * an unverified one neither stands in for a verified one nor pushes it aside. Where several verified ones say different
 * things, the answer is the one that lets less through; where that cannot be told, the fact is missing.
 */
type EvidenceFacts = NonNullable<Facts['evidence']>;
type Predicate = Record<string, unknown>;
type Piece = { key: string | null; predicate: Predicate };

export interface EvidenceContext {
  /** Commit that the release was built from, when known: provenance that names it is preferred. */
  commit: string | null;
  nowMs: number;
}

/** Scan databases dated later than this beyond now are not believed. */
const CLOCK_SKEW_MS = 300_000;

export function evidenceFacts(evidence: readonly Evidence[], context: EvidenceContext): EvidenceFacts {
  const of = (kind: EvidenceKind) => {
    const all = evidence.filter((piece) => piece.kind === kind);
    const verified = all.filter(
      (piece) => piece.verified && piece.problem === null && piece.predicate !== null,
    );
    const problem =
      verified.length > 0 ? undefined : all.map((piece) => piece.problem ?? 'it cannot be read').sort()[0];
    return {
      state: {
        present: all.length > 0,
        verified: verified.length > 0,
        problem: problem?.slice(0, 500).toWellFormed().replaceAll('\0', '\ufffd'),
      },
      pieces: verified.map(({ key, predicate }) => ({ key, predicate: predicate as Predicate })),
    };
  };
  const [provenance, sbom, test, scan, signature] = (
    ['provenance', 'sbom', 'test', 'scan', 'signature'] as const
  ).map(of);
  return {
    provenance: { ...provenance!.state, ...provenanceFacts(provenance!.pieces, context) },
    sbom: { ...sbom!.state, key: keyOf(sbom!.pieces), components: least(sbom!.pieces.map(componentsOf)) },
    test: { ...test!.state, ...testFacts(test!.pieces) },
    scan: { ...scan!.state, ...scanFacts(scan!.pieces, context) },
    signature: { ...signature!.state, key: keyOf(signature!.pieces) },
  };
}

/** The one value that all agree on; undefined when they differ or there are none. */
function agreed<Value>(values: readonly (Value | undefined)[]): Value | undefined {
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}

function keyOf(pieces: readonly Piece[]): string | undefined {
  return agreed(pieces.map(({ key }) => key ?? undefined));
}

/** One unknown among the values makes the whole unknown. */
function least(values: readonly (number | undefined)[]): number | undefined {
  return values.length > 0 && values.every(isNumber) ? Math.min(...values) : undefined;
}

function most(values: readonly (number | undefined)[]): number | undefined {
  return values.length > 0 && values.every(isNumber) ? Math.max(...values) : undefined;
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined;
}

/** SLSA v1. The same bytes can be built from two commits; then the provenance of this release's commit is the one meant. */
function provenanceFacts(pieces: readonly Piece[], { commit }: EvidenceContext) {
  const read = pieces.map(({ key, predicate }) => ({ key: key ?? undefined, ...provenanceOf(predicate) }));
  const matching = read.filter((piece) => commit !== null && piece.commit === commit);
  const meant = matching.length > 0 ? matching : read;
  return {
    key: agreed(meant.map((piece) => piece.key)),
    builderId: agreed(meant.map((piece) => piece.builderId)),
    repository: agreed(meant.map((piece) => piece.repository)),
    commit: agreed(meant.map((piece) => piece.commit)),
  };
}

/**
 * The source is the first resolved dependency that is a git commit (`git+<repository>@<ref>`, digest `gitCommit` or `sha1`);
 * our builder also says the repository by itself.
 */
function provenanceOf(predicate: Predicate) {
  const builderId = text(at(predicate, 'runDetails', 'builder', 'id'));
  const dependencies = at(predicate, 'buildDefinition', 'resolvedDependencies');
  const source = (Array.isArray(dependencies) ? dependencies : []).find((dependency) =>
    text(at(dependency, 'uri'))?.startsWith('git+'),
  );
  const commit = text(at(source, 'digest', 'gitCommit')) ?? text(at(source, 'digest', 'sha1'));
  const said = text(at(predicate, 'buildDefinition', 'externalParameters', 'repository'));
  return { builderId, repository: said ?? repositoryOf(text(at(source, 'uri')), commit), commit };
}

/** The ref follows an `@` in the path; one before that belongs to the authority (`git+ssh://git@host/shop@refs/heads/main`). */
function repositoryOf(uri: string | undefined, commit: string | undefined): string | undefined {
  const address = uri?.slice('git+'.length);
  const ofUrl = /^[a-z][a-z0-9+.-]*:\/\/[^/]*\/[^@]*/i.exec(address ?? '')?.[0];
  return ofUrl ?? (address?.endsWith(`@${commit}`) ? address.slice(0, -`@${commit}`.length) : address);
}

/** CycloneDX. */
function componentsOf({ predicate }: Piece): number | undefined {
  const components = predicate.components;
  return Array.isArray(components) ? components.length : undefined;
}

/** In-toto test results. Every verified one counts: a failed run is not made undone by one that passed. */
function testFacts(pieces: readonly Piece[]) {
  const read = pieces.map(({ predicate }) => testOf(predicate));
  return {
    key: keyOf(pieces),
    passed: least(read.map((one) => one.passed)),
    failed: most(read.map((one) => one.failed)),
  };
}

/** The format lists names; our builder names a step for all its passed tests, and gives the counts in `reports`. */
function testOf({ result, passedTests, failedTests, reports }: Predicate): {
  passed?: number;
  failed?: number;
} {
  if (!['PASSED', 'WARNED', 'FAILED'].includes(result as string)) return {};
  if (!Array.isArray(passedTests) || !(failedTests === undefined || Array.isArray(failedTests))) return {};
  const counted = (name: 'passed' | 'failed', otherwise: number) => {
    if (reports === undefined) return otherwise;
    const counts = Array.isArray(reports) ? reports.map((report) => at(report, name)) : [undefined];
    return counts.reduce<number>(
      (sum, one) => sum + (Number.isSafeInteger(one) && (one as number) >= 0 ? (one as number) : Number.NaN),
      0,
    );
  };
  const failed = Math.max(counted('failed', 0), failedTests?.length ?? 0, result === 'FAILED' ? 1 : 0);
  const passed = counted('passed', passedTests.length);
  // NaN: a count that is none. Then nothing is known of this run.
  return Number.isNaN(failed) || Number.isNaN(passed) ? {} : { passed, failed };
}

/** In-toto vulnerability scans. The scan with the newest database speaks; of several with the same, the worst. */
function scanFacts(pieces: readonly Piece[], { nowMs }: EvidenceContext) {
  const read = pieces.map((piece) => ({ ...piece, ...scanOf(piece.predicate, nowMs) }));
  if (read.some((scan) => scan.updatedAtMs === undefined)) return {};
  const newest = Math.max(...read.map((scan) => scan.updatedAtMs ?? 0));
  const meant = read.filter((scan) => scan.updatedAtMs === newest);
  return {
    key: keyOf(meant),
    critical: most(meant.map((scan) => scan.critical)),
    high: most(meant.map((scan) => scan.high)),
    databaseAgeS: meant.length === 0 ? undefined : Math.max(0, Math.floor((nowMs - newest) / 1000)),
  };
}

function scanOf(predicate: Predicate, nowMs: number) {
  const updated = Date.parse(text(at(predicate, 'scanner', 'db', 'lastUpdate')) ?? '');
  const result = at(predicate, 'scanner', 'result');
  if (Number.isNaN(updated) || updated < 0 || updated > nowMs + CLOCK_SKEW_MS || !Array.isArray(result))
    return {};
  const severities = result.map(severityOf);
  const count = (severity: string) =>
    severities.includes(undefined) ? undefined : severities.filter((one) => one === severity).length;
  return { updatedAtMs: updated, critical: count('critical'), high: count('high') };
}

const RATINGS = ['critical', 'high', 'medium', 'low', 'none', 'unknown'];

/** The worst of a finding's severities; undefined when one cannot be read. */
function severityOf(finding: unknown): string | undefined {
  const given = at(finding, 'severity');
  if (!Array.isArray(given)) return given === undefined ? 'unknown' : undefined;
  const ratings = given.map((one) => rating(at(one, 'score')));
  return ratings.includes(undefined)
    ? undefined
    : (RATINGS.find((name) => ratings.includes(name)) ?? 'unknown');
}

/** CVSS score (9.0 and 7.0 are the borders of critical and high) or a word. */
function rating(score: unknown): string | undefined {
  const value = typeof score === 'string' && /^\d{1,2}(\.\d{1,2})?$/.test(score) ? Number(score) : score;
  if (typeof value === 'string') return RATINGS.find((name) => name === value.toLowerCase());
  if (typeof value !== 'number' || !(value >= 0 && value <= 10)) return undefined;
  return value >= 9 ? 'critical' : value >= 7 ? 'high' : value >= 4 ? 'medium' : value > 0 ? 'low' : 'none';
}

function at(value: unknown, ...path: string[]): unknown {
  let here = value;
  for (const name of path) here = isRecord(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return here;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
