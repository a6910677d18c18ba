import type { Machine } from './flow/machine.ts';
import {
  analyzeLoop,
  laneLoop,
  queueTasks,
  rolloutLoop,
  sampleLoop,
  sequenceLoop,
} from './flow/reconcilers.ts';
import type { TaskHandler } from './platform/queue/queue.ts';

/**
 * The whole product on one screen: what meets a change, in order. Each stage owns its folder, its tables and its
 * endpoints; it learns of work by a wake-up with an id and leaves its result in rows for the next.
 */
export const FLOW = [
  { stage: 'source', wokenBy: 'webhook, poll, person', reads: 'a repository', leaves: 'commits, releases' },
  {
    stage: 'build',
    wokenBy: 'release',
    reads: 'a commit and slipway.yaml',
    leaves: 'an image in the registry',
  },
  {
    stage: 'registry',
    wokenBy: 'any client',
    reads: 'blobs and manifests',
    leaves: 'digests that never change',
  },
  {
    stage: 'attest',
    wokenBy: 'release',
    reads: 'what the build reports',
    leaves: 'signed evidence beside the image',
  },
  { stage: 'scan', wokenBy: 'release', reads: 'the image', leaves: 'signed findings beside the image' },
  {
    stage: 'gate',
    wokenBy: 'promotion',
    reads: 'verified evidence and policies',
    leaves: 'a recorded decision',
  },
  {
    stage: 'promote',
    wokenBy: 'release, person, approval',
    reads: 'decision, soak, approvals',
    leaves: 'a rollout',
  },
  {
    stage: 'rollout',
    wokenBy: 'time, verdict, person',
    reads: 'the data plane',
    leaves: 'traffic on one version',
  },
  {
    stage: 'analyze',
    wokenBy: 'every second',
    reads: 'counters of both versions',
    leaves: 'evidence and a verdict',
  },
  {
    stage: 'observe',
    wokenBy: 'anyone who asks',
    reads: 'rows and ledger',
    leaves: 'what runs where, and why',
  },
] as const;

/** What a worker runs: handlers of wake-ups, and loops that serve many rows at once. */
export interface Work {
  tasks: Readonly<Record<string, TaskHandler>>;
  loops: readonly { name: string; run(signal: AbortSignal): Promise<void> }[];
}

export function work(machine: Machine): Work {
  return {
    tasks: queueTasks(machine),
    loops: [
      { name: 'ledger', run: (signal) => sequenceLoop(machine, signal) },
      { name: 'rollouts', run: (signal) => rolloutLoop(machine, signal) },
      { name: 'lanes', run: (signal) => laneLoop(machine, signal) },
      { name: 'analyses', run: (signal) => analyzeLoop(machine, signal) },
      { name: 'samples', run: (signal) => sampleLoop(machine, signal) },
    ],
  };
}
