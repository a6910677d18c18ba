import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Answer } from './api.ts';
import type { Installation } from './installation.ts';

interface Write {
  path: string;
  body: unknown;
  key: string;
  answer: Answer;
  /** Throws when what the answer promised is not so. */
  holds(answer: Answer): Promise<void>;
}

/** Writes made while things die: what was answered with 2xx must be so for ever, whatever happened right after. */
export interface Acknowledged {
  write(path: string, body: unknown, holds: Write['holds']): Promise<Answer>;
  /** How many so far. */
  acknowledged(): number;
  /** Every acknowledged write is true, and the same request under its key gives the same answer once more. */
  check(): Promise<{ acknowledged: number; unanswered: number }>;
}

export function acknowledged(installation: Installation): Acknowledged {
  const writes: Write[] = [];
  const answered = () => writes.filter(({ answer }) => answer.status >= 200 && answer.status < 300);
  return {
    acknowledged: () => answered().length,
    async write(path, body, holds) {
      const key = randomUUID();
      const answer = await installation.api().call('POST', path, body, { 'idempotency-key': key });
      writes.push({ path, body, key, answer, holds });
      return answer;
    },
    async check() {
      const kept = answered();
      for (const { path, body, key, answer, holds } of kept) {
        await holds(answer);
        const again = await installation.api().call('POST', path, body, { 'idempotency-key': key });
        assert.deepEqual(again, answer, `${path} again under its key`);
      }
      const refused = writes.filter(({ answer }) => answer.status >= 500 && answer.status !== 503);
      assert.deepEqual(
        refused
          .map(({ path, answer }) => [path, answer.status, answer.body.code])
          .filter(([, , code]) => code === 'internal'),
        [],
        'a write that cannot be done now says why',
      );
      return { acknowledged: kept.length, unanswered: writes.length - kept.length };
    },
  };
}
