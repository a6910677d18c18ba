import { z } from 'zod';
import type { Machine } from '../flow/machine.ts';
import { ledgerHeads } from '../flow/reconcilers.ts';
import { isSlipwayError } from '../kernel/errors.ts';
import { type Route, route } from '../platform/http/route.ts';
import { checkedHead } from '../support/ledger/head.ts';

export interface HealthProblem {
  part: 'ledger';
  code: string;
  problem: string;
}

/** Anyone may ask; the answer is at most this old. */
const ANSWER_MS = 1_000;

/**
 * Fails while the server cannot do its work. `degraded`: it answers, but something needs a person, such as a ledger that
 * does not fit its signed head.
 */
export function healthRoutes({ database, ledger, data, clock }: Machine): Route[] {
  const heads = ledgerHeads(data);
  let last: { atMs: number; problems: Promise<HealthProblem[]> } | null = null;
  const look = async (): Promise<HealthProblem[]> => {
    try {
      await checkedHead(database, ledger, await heads.load());
      return [];
    } catch (error) {
      if (!isSlipwayError(error) || error.code !== 'tampered') throw error;
      return [{ part: 'ledger', code: error.code, problem: error.message }];
    }
  };
  return [
    route({
      method: 'GET',
      path: '/v1/health',
      operationId: 'health',
      summary: 'Whether this server can do its work, and what needs a person',
      tag: 'system',
      access: 'open',
      response: z.object({
        status: z.enum(['ok', 'degraded']),
        problems: z.array(z.object({ part: z.literal('ledger'), code: z.string(), problem: z.string() })),
      }),
      async handle() {
        await database.query('select 1');
        const nowMs = clock.nowMs();
        if (last === null || nowMs - last.atMs >= ANSWER_MS) last = { atMs: nowMs, problems: look() };
        const problems = await last.problems;
        return { status: problems.length === 0 ? ('ok' as const) : ('degraded' as const), problems };
      },
    }),
  ];
}
