/**
 * Makes output the same on every run: ids, digests, times, ports and folders become names in the order they first show.
 * The way back (`restore`) lets a session's commands use those names.
 */
export interface Normalizer {
  normalize(text: string): string;
  /** Names such as `sha256:<1>` or `pro_<2>` back to what they stand for. */
  restore(command: string): string;
}

const PATTERNS: readonly (readonly [RegExp, (name: string, match: RegExpExecArray) => string])[] = [
  [/\bslp_[0-9a-z]{26}_(?:[A-Za-z0-9_-]{43}|\*{3})/g, (name) => `slp_<${name}>`],
  [
    /\b(rel|bld|pro|rol|dec|apr|tok|req|evd)_[0-9a-hjkmnp-tv-z]{26}\b/g,
    (name, match) => `${match[1]}_<${name}>`,
  ],
  [/\bsha256:[0-9a-f]{64}\b/g, (name) => `sha256:<${name}>`],
  [/\b[0-9a-f]{64}\b/g, (name) => `<hash ${name}>`],
  [/\blog-[0-9a-f]{16}\b/g, (name) => `log-<${name}>`],
];

export function createNormalizer(fixed: {
  commits: readonly string[];
  folders: Readonly<Record<string, string>>;
  version: string;
}): Normalizer {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const nameOf = (kind: string, value: string, write: (name: string) => string) => {
    const known = names.get(value);
    if (known) return known;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const name = write(String(count));
    names.set(value, name);
    return name;
  };
  const shorts = (text: string) =>
    text.replace(/(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])/g, (short) => {
      if (fixed.commits.some((commit) => commit.startsWith(short))) return short;
      const digest = [...names].find(([value]) => value.startsWith(`sha256:${short}`));
      return digest ? digest[1].replace('sha256:', 'short ') : short;
    });
  return {
    normalize(text) {
      let result = text.replaceAll(fixed.version, '<version>');
      for (const [name, folder] of Object.entries(fixed.folders))
        result = result.replaceAll(folder, `<${name}>`);
      for (const [pattern, write] of PATTERNS)
        result = result.replace(pattern, (...groups) => {
          const value = groups[0] as string;
          const match = Object.assign([value, ...(groups.slice(1, -2) as string[])], {
            index: 0,
            input: value,
          }) as unknown as RegExpExecArray;
          return nameOf(String(match[1] ?? pattern), value, (name) => write(name, match));
        });
      return shorts(result)
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
        .replace(/^((?:! )?)\d\d:\d\d:\d\d(?= )/gm, '$1<clock>')
        .replace(/\bjust now\b|\b\d+[smhd] ago\b|\bin \d+[smhd]\b/g, '<when>')
        .replace(/\b(after|in) (\d+ ms|\d+\.\d s|\d+[smhd]( \d+[smhd])?)/g, '$1 <time>')
        .replace(/^(took +)\S.*$/gm, '$1<time>')
        .replace(/"(durationMs|sizeBytes|generation)": \d+/g, '"$1": <n>')
        .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')
        .replace(/, \d+\.\d KiB\b/g, ', <size>')
        .replace(/\b\d+ bytes\b/g, '<n> bytes')
        .replace(/^(\w+ {2,}(?:verified|failed) {2,}\w+ {2,})\d+( {2,})[0-9a-f]{12}$/gm, '$1<n>$2<short>')
        .replace(/policy:[0-9a-f]{12}\b/g, 'policy:<hash>')
        .replace(/ledger \d+(, \d+)*(, …)?/g, 'ledger <n>')
        .replace(/\b\d+ (entries|checkpoints|hashes)/g, '<n> $1')
        .replace(/key [0-9a-f]{8}\b/g, 'key <id>')
        .replace(/(?<=\S) {2,}/g, '  ');
    },
    restore(command) {
      let result = command;
      for (const [name, folder] of Object.entries(fixed.folders))
        result = result.replaceAll(`<${name}>`, folder);
      for (const [value, name] of names) result = result.replaceAll(name, value);
      return result;
    },
  };
}
