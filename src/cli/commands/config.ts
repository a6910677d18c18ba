import { explainConnection } from '../connection.ts';
import { EXIT } from '../errors.ts';
import { pairs, table } from '../output/table.ts';
import { profilePath } from '../profile.ts';
import type { Run } from '../spec.ts';

/** Shows where the address and the token come from; of tokens only that there is one, and their public id. */
export const explain: Run = async (context) => {
  const { io, local, output, flags } = context;
  const { url, urls, tokens, warnings } = await explainConnection(io, local, flags);
  for (const warning of warnings) output.note(`warning: ${warning}`);
  const candidates = [
    ...urls.map(({ source, value, used }) => ({ setting: 'url', source, value, used })),
    ...tokens.map(({ source, value, used }) => ({ setting: 'token', source, value: mask(value), used })),
  ];
  const urlSource = urls.find(({ used }) => used)?.source ?? null;
  const tokenSource = tokens.find(({ used }) => used)?.source ?? null;
  const profileFile = profilePath(io);
  const dataDirectory = local.dataDirectory(flags.data);
  const rows = candidates.map(({ setting, source, value, used }) => [
    used ? '>' : '',
    setting,
    source,
    value ?? '-',
  ]);
  const text = `${pairs([
    ['server', url ?? 'none was found'],
    ['token', tokenSource === null ? 'none' : `from ${tokenSource}`],
  ])}\n${table(['', 'SETTING', 'FROM, FIRST COUNTS', 'VALUE'], rows)}`;
  await output.result({ url, urlSource, tokenSource, profileFile, dataDirectory, candidates }, text);
  return EXIT.ok;
};

/** `slp_01k5…` of a token of ours: the id names it in the ledger and is no secret. */
function mask(token: string | null): string | null {
  if (token === null) return null;
  const id = /^(slp_[0-9a-z]{26})_/.exec(token)?.[1];
  return id ? `${id}_***` : '***';
}
