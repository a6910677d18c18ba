import type { Transaction } from '../../platform/postgres/database.ts';

/** The ledger's `append`, as access needs it: an entry in the transaction of the change it records. */
export type AppendEntry = (
  tx: Transaction,
  entry: {
    kind: 'token.created' | 'token.revoked';
    atMs: number;
    actor: string;
    /** Id of the token. */
    subject: string;
    data: Readonly<Record<string, unknown>>;
  },
) => Promise<unknown>;
