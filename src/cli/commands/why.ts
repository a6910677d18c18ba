import type { Why } from '../api/types.ts';
import { EXIT } from '../errors.ts';
import { oneLine } from '../output/clean.ts';
import type { Style } from '../output/style.ts';
import { ago } from '../output/time.ts';
import type { Run } from '../spec.ts';

export const why: Run = async (context, { args }) => {
  const { io, output } = context;
  const api = await context.api();
  const answer = await api.call(api.client.GET('/v1/why', { params: { query: { subject: args[0] ?? '' } } }));
  await output.result(answer, whyText(answer, output.style, io.nowMs()));
  return EXIT.ok;
};

/** The chain from the running bytes back to the commit, a link a paragraph. */
export function whyText({ service, digest, runningIn, chain }: Why, style: Style, nowMs: number): string {
  const lines = [
    `${style.bold(service)} ${digest}`,
    runningIn.length > 0 ? `runs in ${runningIn.join(', ')}` : 'runs nowhere now',
    '',
  ];
  for (const { kind, id, at, actor, title, reasons, entries } of chain) {
    lines.push(`${style.cyan(kind.padEnd(10))} ${oneLine(title)}`);
    const facts = [
      ago(at, nowMs),
      actor ? `by ${oneLine(actor)}` : '',
      kind === 'deployment' || kind === 'evidence' ? '' : id,
    ];
    if (entries.length > 0)
      facts.push(`ledger ${entries.slice(0, 6).join(', ')}${entries.length > 6 ? ', …' : ''}`);
    for (const reason of reasons) lines.push(`${' '.repeat(11)}- ${oneLine(reason)}`);
    lines.push(style.dim(`${' '.repeat(11)}${facts.filter((fact) => fact !== '').join(', ')}`));
  }
  return lines.join('\n');
}
