import { useMutation } from '@tanstack/react-query';
import { ShieldCheck } from 'lucide-react';
import { api, call } from '../api/client.ts';
import type { LedgerReport } from '../api/types.ts';
import { Button } from '../parts/button.tsx';
import { Failure } from '../parts/states.tsx';
import { ToneIcon } from '../parts/tone.tsx';

/** Asks the server to read and hash everything: the log, its signatures, and every stored artifact. */
export function VerifyLog() {
  const verify = useMutation({ mutationFn: () => call(api.POST('/v1/ledger/verify')) });
  return (
    <section aria-label="Verification" className="flex flex-col gap-2 rounded-lg border bg-panel px-4 py-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-[75ch] text-muted">
          Every change is an entry in a Merkle log with signed heads. An entry's page checks its proof in this
          browser; the whole log and all stored bytes are verified on the server.
        </p>
        <Button onClick={() => verify.mutate()} busy={verify.isPending}>
          <ShieldCheck className="size-4" aria-hidden />
          {verify.isPending ? 'Verifying…' : 'Verify everything'}
        </Button>
      </div>
      <div aria-live="polite">
        {verify.error !== null && <Failure error={verify.error} retry={() => verify.mutate()} />}
        {verify.data && <Report report={verify.data} />}
      </div>
    </section>
  );
}

function Report({ report }: { report: LedgerReport }) {
  const problems = [
    ...report.problems.map(({ where, at, problem }) => `${where} ${at}: ${problem}`),
    ...(report.artifacts?.problems ?? []).map(({ digest, problem }) => `artifact ${digest}: ${problem}`),
  ];
  return (
    <div className="flex gap-2 border-t pt-2">
      <ToneIcon tone={report.ok ? 'ok' : 'bad'} className={`mt-1 ${report.ok ? 'text-ok' : 'text-bad'}`} />
      <div className="min-w-0">
        <p className="font-medium">
          {report.ok
            ? `Sound: ${report.size} entries, ${report.checkpoints} signed heads${report.artifacts ? ', every stored artifact' : ''}`
            : `${problems.length}${report.truncated ? ' or more' : ''} things are not as they were recorded`}
        </p>
        <p className="text-xs break-all text-muted">root {report.root}</p>
        {problems.length > 0 && (
          <ul className="mt-1 list-disc pl-5">
            {problems.map((problem) => (
              <li key={problem} className="break-all text-bad">
                {problem}
              </li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}
