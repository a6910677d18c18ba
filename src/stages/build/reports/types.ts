import { storable } from '../text.ts';

/** What a test step reported, for the build page and the in-toto test result. */
export interface TestReport {
  step: string;
  format: 'junit' | 'tap';
  passed: number;
  failed: number;
  skipped: number;
  /** Names of failed tests, at most `MAX_NAMES`. */
  failedNames: readonly string[];
}

export type TestCounts = Omit<TestReport, 'step' | 'format'>;

export const MAX_REPORT_BYTES = 16 * 1024 * 1024;
export const MAX_TESTS = 200_000;
export const MAX_NAMES = 200;
export const MAX_NAME_LENGTH = 400;

/** One line, bounded: test names are written by strangers. */
export function cleanName(name: string): string {
  return (
    storable(name)
      .replace(/[\p{Cc}\s]+/gu, ' ')
      .trim()
      .slice(0, MAX_NAME_LENGTH) || '(unnamed)'
  );
}
