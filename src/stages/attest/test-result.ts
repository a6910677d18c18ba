import { digestHex } from '../../kernel/digest.ts';
import type { AttestationInput, TestReport } from './input.ts';
import { withoutCredentials } from './urls.ts';

const MAX_NAMES = 1_000;

/**
 * in-toto test-result v0.1, one name a report (the step) and one a failed test; the counts stand beside them. Null when
 * the build ran no test: no evidence is the truth, and a policy may miss it.
 */
export function testResultPredicate(input: AttestationInput): Record<string, unknown> | null {
  const ran = input.tests.filter((report) => report.passed + report.failed > 0);
  if (ran.length === 0) return null;
  const failed = ran.filter((report) => report.failed > 0);
  return {
    result: failed.length > 0 ? 'FAILED' : 'PASSED',
    configuration: [
      {
        uri: `git+${withoutCredentials(input.repositoryUrl)}@${input.commitSha}`,
        digest: { gitCommit: input.commitSha },
      },
      { name: 'slipway.yaml', digest: { sha256: digestHex(input.configDigest) } },
    ],
    passedTests: ran.filter((report) => report.failed === 0).map((report) => report.name),
    warnedTests: [],
    failedTests: failed.flatMap(namesOf).slice(0, MAX_NAMES),
    reports: input.tests.map(({ name, passed, failed: failures, skipped }) => ({
      name,
      passed,
      failed: failures,
      skipped,
    })),
  };
}

function namesOf(report: TestReport): string[] {
  return report.failedNames.length === 0
    ? [report.name]
    : report.failedNames.map((name) => `${report.name}: ${name}`);
}
