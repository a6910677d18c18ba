import type { Api } from './api.ts';
import type { Forgery } from './forgeries.ts';
import type { Release, VersionRun } from './story.ts';
import type { LoadSummary } from './tally.ts';

export interface DemoReport {
  ok: boolean;
  /** What did not go as described; empty when everything did. */
  problems: string[];
  startedAt: string;
  seconds: number;
  versions: VersionReport[];
  forgeries: Forgery[];
  load: {
    rps: number;
    requests: number;
    failedByApp: number;
    lost: number;
    lateMs: number | null;
    p50Ms: number | null;
    p99Ms: number | null;
    losses: LoadSummary['losses'];
  };
  ledger: { size: number; root: string; verified: boolean };
  url: string;
}

export interface VersionReport {
  version: string;
  commit: string;
  digest: string | null;
  outcome: string;
  reason: string;
  /** Seconds, null for a stage that was not reached. */
  stages: { build: number | null; dev: number | null; staging: number | null; prod: number | null };
  /** Requests of the load that this version answered, and how many of them it failed. */
  requests: number;
  failed: number;
  /** Milliseconds from its first failed answer to 0 % of traffic; null unless it was rolled back. */
  firstBadToZeroMs: number | null;
}

export interface DemoResult {
  startedAtMs: number;
  endedAtMs: number;
  runs: readonly VersionRun[];
  summary: LoadSummary;
  forgeries: Forgery[];
  verification: { ok: boolean; size: number; root: string; problems: unknown[] };
  url: string;
}

const EXPECTED: Readonly<Record<number, string>> = {
  1: 'succeeded',
  2: 'succeeded',
  3: 'rolled-back',
  4: 'succeeded',
};

/** Compares what happened with what was promised. */
export function judge(result: DemoResult): DemoReport {
  const { runs, summary, forgeries, verification } = result;
  const problems: string[] = [];
  const versions = runs.map((run) => versionReport(run, summary));
  for (const [i, run] of runs.entries()) {
    const version = versions[i] as VersionReport;
    const wanted = EXPECTED[run.commit.n];
    if (version.outcome !== wanted)
      problems.push(
        `v${run.commit.n} was to end as ${wanted} and ended as ${version.outcome}: ${version.reason}`,
      );
  }
  const bad = runs.find((run) => run.commit.n === 3);
  const back = bad?.rollouts.prod?.turnedBack?.reason ?? '';
  if (bad && !back.startsWith('analysis:'))
    problems.push(`v3 was to be rolled back by the analysis alone; the reason was: ${back}`);
  if (runs.length !== 4) problems.push(`${runs.length} of 4 versions were carried`);
  for (const forgery of forgeries)
    if (forgery.status !== 'denied')
      problems.push(`the ${forgery.name} image was not refused: ${forgery.status}`);
  if (forgeries.length !== 2) problems.push('the two forged images were not tried');
  if (summary.lost > 0) problems.push(`${summary.lost} requests were lost`);
  if (!verification.ok) problems.push('the ledger or the artifact store does not verify');
  return {
    ok: problems.length === 0,
    problems,
    startedAt: new Date(result.startedAtMs).toISOString(),
    seconds: round((result.endedAtMs - result.startedAtMs) / 1_000),
    versions,
    forgeries,
    load: {
      rps: round(summary.sent / ((summary.endedAtMs - summary.startedAtMs) / 1_000)),
      requests: summary.requests,
      failedByApp: summary.failedByApp,
      lost: summary.lost,
      lateMs: summary.lateMs,
      p50Ms: summary.p50Ms,
      p99Ms: summary.p99Ms,
      losses: summary.losses,
    },
    ledger: { size: verification.size, root: verification.root, verified: verification.ok },
    url: result.url,
  };
}

function versionReport({ commit, release, rollouts }: VersionRun, summary: LoadSummary): VersionReport {
  const figures = summary.versions[commit.version];
  const prod = rollouts.prod;
  const last =
    release.promotions.find((promotion) => promotion.status !== 'succeeded') ??
    release.promotions.find((promotion) => promotion.environment === 'prod');
  const zero = prod?.zeroTrafficAt ? Date.parse(prod.zeroTrafficAt) : null;
  const firstBad = figures?.firstFailureAtMs ?? null;
  return {
    version: `v${commit.n}`,
    commit: commit.sha,
    digest: release.digest,
    outcome: release.status === 'built' ? (last?.status ?? 'unknown') : release.status,
    reason: prod?.turnedBack?.reason ?? last?.reason ?? release.problem ?? '',
    stages: {
      build: seconds(release.createdAt, release.finishedAt),
      dev: stage(release, 'dev'),
      staging: stage(release, 'staging'),
      prod: stage(release, 'prod'),
    },
    requests: figures?.requests ?? 0,
    failed: figures?.failedByApp ?? 0,
    firstBadToZeroMs: zero !== null && firstBad !== null ? Math.max(0, zero - firstBad) : null,
  };
}

function stage(release: Release, environment: string): number | null {
  const promotion = release.promotions.find((candidate) => candidate.environment === environment);
  return promotion ? seconds(promotion.createdAt, promotion.endedAt) : null;
}

function seconds(from: string, to: string | null): number | null {
  return to === null ? null : round((Date.parse(to) - Date.parse(from)) / 1_000);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function printReport(report: DemoReport, api: Api, data: string): void {
  const cell = (value: number | null, unit = ' s') => (value === null ? '-' : `${value}${unit}`);
  const rows = report.versions.map((version) => [
    version.version,
    version.outcome,
    cell(version.stages.build),
    cell(version.stages.dev),
    cell(version.stages.staging),
    cell(version.stages.prod),
    String(version.requests),
    String(version.failed),
    version.firstBadToZeroMs === null ? '-' : `${round(version.firstBadToZeroMs / 1_000)} s`,
  ]);
  const head = [
    'version',
    'outcome',
    'build',
    'dev',
    'staging',
    'prod',
    'requests',
    'failed',
    'first bad to 0 %',
  ];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (row: string[]) => row.map((text, i) => text.padEnd(widths[i] ?? 0)).join('  ');
  const out = [
    '',
    line(head),
    ...rows.map(line),
    '',
    ...report.versions
      .filter((version) => version.outcome !== 'succeeded')
      .map((version) => `${version.version}: ${version.reason}`),
    ...report.forgeries.map((forgery) => `${forgery.name}: ${forgery.status}. ${forgery.reason}`),
    `requests: ${report.load.requests} (${report.load.rps}/s), lost: ${report.load.lost}`,
    `ledger: ${report.ledger.size} entries, root ${report.ledger.root}, ${report.ledger.verified ? 'verified' : 'DOES NOT VERIFY'}`,
    `took ${report.seconds} s; ${report.ok ? 'everything went as described' : `NOT as described:\n  ${report.problems.join('\n  ')}`}`,
    `web UI: ${api.url}/login#${api.token}`,
    `data: ${data}`,
  ];
  process.stdout.write(`${out.join('\n')}\n`);
}
