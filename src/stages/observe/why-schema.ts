import { z } from 'zod';

const link = z.object({
  kind: z.enum([
    'deployment',
    'rollout',
    'promotion',
    'approval',
    'decision',
    'evidence',
    'artifact',
    'build',
    'release',
    'commit',
  ]),
  id: z.string(),
  at: z.string(),
  actor: z.string().nullable(),
  environment: z.string().nullable(),
  /** A sentence: what happened. */
  title: z.string(),
  /** Why; one line a reason. */
  reasons: z.array(z.string()),
  /** The ledger entries that record it. */
  entries: z.array(z.number()),
});

export const whySchema = z.object({
  subject: z.string(),
  service: z.string(),
  environment: z.string().nullable(),
  digest: z.string(),
  /** Where these very bytes run now. */
  runningIn: z.array(z.string()),
  /** From the running bytes back to the commit. */
  chain: z.array(link),
});

export type Why = z.infer<typeof whySchema>;
export type Link = z.infer<typeof link>;

/** What a question is about. */
export interface Found {
  service: string;
  environment: string | null;
  digest: string;
}
