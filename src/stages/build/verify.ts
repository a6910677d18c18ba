import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isSlipwayError } from '../../kernel/errors.ts';
import type { SandboxKind } from '../../platform/process/sandbox.ts';
import { openCacheIndex } from './cache/index.ts';
import { makeSeal } from './cache/key.ts';
import { compareImages } from './compare/images.ts';
import type { BuildDeps } from './deps.ts';
import { logPosition, storeLog } from './logs/store.ts';
import type { Difference, Reproducibility, VerifyReport } from './report.ts';
import { assertGoing, nothingYet, type Produced, produceImage } from './run/produce.ts';
import { STANDARD, type Variation } from './run/variation.ts';
import { type BuildSubject, readReleasedDigest, resetSteps, updateStep } from './store.ts';

/** The second build's surroundings: all that can be made different is. */
const STRANGE: Variation = {
  name: 'the-same-commit-built-again-at-a-place-with-a-much-longer-name',
  source: '/var/lib/another-place/with-a-longer-path/source',
  home: '/var/lib/another-home',
  hostname: 'somewhere-else',
  timezone: 'Pacific/Kiritimati',
  locale: 'C',
  umask: '027',
  cpus: [0],
  reversed: true,
};

interface Run {
  workDirectory: string;
  signal: AbortSignal;
}

/**
 * Builds a commit twice from nothing (no cache in between) under different surroundings and says how far the results
 * agree. Nothing is pushed. `produced` is filled in with the first build.
 */
export async function verifyBuild(
  deps: BuildDeps,
  subject: BuildSubject,
  run: Run,
  produced: Produced,
): Promise<VerifyReport> {
  const { varied, notVaried } = variations(deps.sandbox.kind);
  const released = await readReleasedDigest(deps.database, subject.service, subject.commit_sha);
  const inconclusive = (reason: string): VerifyReport => {
    return { verdict: 'inconclusive', reason, first: null, digests: [], released: null, varied, notVaried };
  };
  const runs = [produced, nothingYet()] as const;
  const names = ['first', 'second'] as const;
  const layouts: string[] = [];
  for (const [index, variation] of [STANDARD, STRANGE].entries()) {
    try {
      const image = await buildOnce(deps, subject, run, {
        variation,
        produced: runs[index] ?? produced,
        label: names[index] ?? '',
      });
      layouts.push(image.layout);
    } catch (error) {
      assertGoing(run.signal);
      if (!isSlipwayError(error) || error.retryable) throw error;
      return inconclusive(`the ${names[index]} build failed: ${error.message}`);
    }
  }
  const [first = '', second = ''] = layouts;
  const digests = runs.flatMap(({ image }) => image?.documents.manifest.digest ?? []);
  const { verdict, difference } = await compareImages(first, second);
  return {
    verdict,
    reason: explain(verdict, difference, produced),
    first: difference,
    digests,
    released: released === null ? null : { digest: released, reproduced: released === digests[0] },
    varied,
    notVaried,
  };
}

async function buildOnce(
  deps: BuildDeps,
  subject: BuildSubject,
  run: Run,
  once: { variation: Variation; produced: Produced; label: string },
) {
  const workDirectory = join(run.workDirectory, once.variation.name);
  await mkdir(workDirectory, { recursive: true });
  // A cache of its own that is empty and goes away: nothing is shared between the two.
  const seal = makeSeal(Buffer.from(deps.clock.random(32)));
  const cache = await openCacheIndex(join(workDirectory, 'cache'), seal);
  const { database } = deps;
  return produceImage(
    {
      deps: once.variation.cpus ? { ...deps, parallel: 1 } : deps,
      subject,
      workDirectory,
      cache,
      variation: once.variation,
      signal: run.signal,
      onSteps: (build) => database.transaction((tx) => resetSteps(tx, subject.id, build.steps)),
      onStep: (name, change) => updateStep(database, subject.id, name, change),
      async openLog(step) {
        const { next, bytes } = await logPosition(database, subject.id, step);
        let sequence = next;
        const write = (text: string) =>
          storeLog(database, {
            build: subject.id,
            step,
            sequence: sequence++,
            text,
            atMs: deps.clock.nowMs(),
          });
        await write(`[${once.label} build]\n`);
        return { sink: write, alreadyBytes: bytes };
      },
    },
    once.produced,
  );
}

/** What this machine can really make different, and what it cannot: said, not assumed. */
export function variations(kind: SandboxKind): { varied: string[]; notVaried: string[] } {
  const varied = ['time zone', 'locale', 'umask', 'order in which files are made', 'number of steps at once'];
  const notVaried = ['wall clock (the builds run one after the other, seconds apart)', 'kernel', 'processor'];
  varied.push(kind === 'unshare' ? 'host path' : 'path of the source and its length', 'home directory');
  (kind === 'scrubbed' ? notVaried : varied).push('host name');
  (availableParallelism() > 1 ? varied : notVaried).push('number of processors');
  notVaried.push('user id');
  return { varied, notVaried };
}

function explain(verdict: Reproducibility, first: Difference | null, produced: Produced): string {
  if (verdict === 'byte-identical') return 'both builds gave the same bytes';
  const where = first
    ? `first difference: ${first.path} in ${first.layer}: ${first.why}${first.detail ? ` (${first.detail})` : ''}`
    : '';
  if (verdict === 'content-identical') return `the same files in other bytes; ${where}`;
  const open = produced.build?.steps.filter(({ network }) => network).map(({ name }) => name) ?? [];
  const network = open.length > 0 ? `; steps with network: ${open.join(', ')}` : '';
  return `${where}${network}`;
}
