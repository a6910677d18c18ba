import type { Digest } from '../../kernel/digest.ts';
import { isSlipwayError, SlipwayError } from '../../kernel/errors.ts';
import { PREDICATES } from '../../kernel/evidence.ts';
import type { Clock } from '../../platform/clock.ts';
import { type ScannerIdentity, type ScanReport, scanPredicate } from './plan.ts';

export interface ScannedArtifact {
  service: string;
  repository: string;
  digest: Digest;
}

/** A vulnerability scanner. It must heed `signal`; whatever it throws is a scan that did not happen. */
export interface Scanner extends ScannerIdentity {
  scan(artifact: ScannedArtifact, signal: AbortSignal): Promise<ScanReport>;
}

export interface ScanDeps {
  /** In the order they run. Empty: nothing is scanned, and nothing says that it was. */
  scanners: readonly Scanner[];
  clock: Clock;
  /** The attest stage's: signs a statement about the artifact and attaches it. Idempotent. */
  attach(
    artifact: ScannedArtifact,
    predicateType: string,
    predicate: Record<string, unknown>,
  ): Promise<unknown>;
  /** Default `SCAN_TIMEOUT_MS`. */
  timeoutMs?: number;
}

/** One scanner gets this long. */
export const SCAN_TIMEOUT_MS = 600_000;

export type ScanOutcome =
  | { scanner: string; attached: true; findings: number }
  | { scanner: string; attached: false; error: SlipwayError };

/**
 * Runs every scanner over an artifact and attaches what each found as signed evidence. A scanner that fails leaves no
 * evidence, so that a policy which asks for it denies; it does not keep the others from running.
 */
export async function scanArtifact(
  deps: ScanDeps,
  artifact: ScannedArtifact,
  signal?: AbortSignal,
): Promise<ScanOutcome[]> {
  const outcomes: ScanOutcome[] = [];
  for (const scanner of deps.scanners) {
    signal?.throwIfAborted();
    outcomes.push(await runScanner(deps, scanner, artifact, signal));
  }
  return outcomes;
}

async function runScanner(
  deps: ScanDeps,
  scanner: Scanner,
  artifact: ScannedArtifact,
  signal?: AbortSignal,
): Promise<ScanOutcome> {
  const startedAtMs = deps.clock.nowMs();
  try {
    const report = await withDeadline(scanner, artifact, deps.timeoutMs ?? SCAN_TIMEOUT_MS, signal);
    const predicate = scanPredicate(scanner, report, { startedAtMs, finishedAtMs: deps.clock.nowMs() });
    await deps.attach(artifact, PREDICATES.scan, predicate);
    return { scanner: scanner.name, attached: true, findings: report.findings.length };
  } catch (cause) {
    const error = isSlipwayError(cause)
      ? cause
      : new SlipwayError('internal', `scanner ${scanner.name} failed`, { cause });
    return { scanner: scanner.name, attached: false, error };
  }
}

/** A scanner that ignores its signal is left behind all the same. */
async function withDeadline(
  scanner: Scanner,
  artifact: ScannedArtifact,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<ScanReport> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  const stopped = new Promise<never>((_, reject) => {
    either.addEventListener('abort', () => {
      const late = `scanner ${scanner.name} gave nothing within ${timeoutMs / 1_000} s`;
      reject(
        deadline.aborted
          ? new SlipwayError('timeout', late)
          : new SlipwayError('cancelled', 'the scan was cancelled'),
      );
    });
  });
  stopped.catch(() => {});
  return await Promise.race([scanner.scan(artifact, either), stopped]);
}
