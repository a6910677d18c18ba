/** What one bench printed, and where and when. */
export interface Result {
  name: string;
  about: string;
  command: string;
  date: string;
  machine: string;
  commit: string;
  output: string;
}

const TITLE = `# Results

Written by \`script/bench\`, one section a bench, as it was printed. Figures of different dates or machines do not compare.
`;

/** RESULTS.md with these results in it; sections of other benches stay as they are, in the order of \`names\`. */
export function mergeResults(markdown: string, results: readonly Result[], names: readonly string[]): string {
  const sections = new Map<string, string>();
  for (const part of markdown.split(/^(?=## )/m)) {
    const name = /^## (\S+)\n/.exec(part)?.[1];
    if (name !== undefined) sections.set(name, part.trim());
  }
  for (const result of results) sections.set(result.name, section(result));
  const known = names.filter((name) => sections.has(name));
  return `${[TITLE.trim(), ...known.map((name) => sections.get(name) as string)].join('\n\n')}\n`;
}

function section({ name, about, command, date, machine, commit, output }: Result): string {
  return [
    `## ${name}`,
    '',
    about,
    '',
    `\`${command}\` · ${date} · commit ${commit} · ${machine}`,
    '',
    '```text',
    // A fence inside the output would end ours.
    output.trim().replaceAll('```', "'''"),
    '```',
  ].join('\n');
}
