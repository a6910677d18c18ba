import { SlipwayError } from '../../kernel/errors.ts';

/** Most findings one report holds; more is a scanner gone wrong. */
export const MAX_FINDINGS = 10_000;
const MAX_TEXT = 2_048;

/** What a scanner says it found. */
export interface ScanReport {
  /** The vulnerability database it looked into. */
  database: { uri?: string; version?: string; updatedAtMs: number };
  findings: readonly Finding[];
}

export interface Finding {
  /** Advisory: `CVE-2026-0001`, `GHSA-…`. */
  id: string;
  /** Package it is in, as a purl. */
  package?: string;
  /** A CVSS base score (0 to 10) or a rating; several when sources differ: the worst counts. Empty: not rated. */
  severities: readonly { method: string; score: number | Rating }[];
}

export type Rating = 'critical' | 'high' | 'medium' | 'low' | 'none' | 'unknown';
const RATINGS: readonly string[] = [
  'critical',
  'high',
  'medium',
  'low',
  'none',
  'unknown',
] satisfies Rating[];

/** Who scanned; `uri` names the program and its version. */
export interface ScannerIdentity {
  name: string;
  uri: string;
  version: string;
}

/**
 * An in-toto vulnerability scan (vulns v0.1) from a report, findings in a fixed order. Throws `invalid_input` when the
 * report does not hold together: a scan that cannot be believed must not look like one that found nothing.
 */
export function scanPredicate(
  scanner: ScannerIdentity,
  report: ScanReport,
  times: { startedAtMs: number; finishedAtMs: number },
): Record<string, unknown> {
  const problem = problemOf(report, times.finishedAtMs);
  if (problem !== null)
    throw new SlipwayError('invalid_input', `the report of scanner ${scanner.name}: ${problem}`);
  const { uri, version, updatedAtMs } = report.database;
  const sorted = [...report.findings].sort(
    (a, b) => compare(a.id, b.id) || compare(a.package ?? '', b.package ?? ''),
  );
  return {
    scanner: {
      uri: scanner.uri,
      version: scanner.version,
      db: {
        ...(uri === undefined ? {} : { uri }),
        ...(version === undefined ? {} : { version }),
        lastUpdate: new Date(updatedAtMs).toISOString(),
      },
      result: sorted.map(({ id, package: purl, severities }) => ({
        id,
        severity: severities.map(({ method, score }) => ({ method, score: String(score) })),
        ...(purl === undefined ? {} : { annotations: [{ package: purl }] }),
      })),
    },
    metadata: {
      scanStartedOn: new Date(times.startedAtMs).toISOString(),
      scanFinishedOn: new Date(times.finishedAtMs).toISOString(),
    },
  };
}

/** Reports come from programs of others: nothing about them is taken for granted. */
function problemOf(report: ScanReport, nowMs: number): string | null {
  const updatedAtMs: unknown = report?.database?.updatedAtMs;
  if (typeof updatedAtMs !== 'number' || !(updatedAtMs > 0 && updatedAtMs <= nowMs))
    return 'its database has no believable date';
  if (!Array.isArray(report.findings)) return 'it has no list of findings';
  if (report.findings.length > MAX_FINDINGS)
    return `${report.findings.length} findings; at most ${MAX_FINDINGS} are kept`;
  const wrong = report.findings.findIndex((finding) => !isFinding(finding));
  return wrong < 0 ? null : `finding ${wrong + 1} is not well formed`;
}

function isFinding(finding: Finding): boolean {
  return (
    isText(finding?.id) &&
    (finding.package === undefined || isText(finding.package)) &&
    Array.isArray(finding.severities) &&
    finding.severities.every((one) => isText(one?.method) && isScore(one?.score))
  );
}

function isScore(score: unknown): boolean {
  return typeof score === 'number' ? score >= 0 && score <= 10 : RATINGS.includes(score as string);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT && value.isWellFormed();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
