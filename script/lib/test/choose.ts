/** The files whose path holds one of the patterns (`*` stands for anything); all of them without a pattern. Sorted. */
export function chooseFiles(files: readonly string[], patterns: readonly string[]): string[] {
  const wanted = patterns.map((pattern) => {
    const parts = pattern.replace(/^\.\//, '').split('*');
    return new RegExp(parts.map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*'));
  });
  return files
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => wanted.length === 0 || wanted.some((pattern) => pattern.test(path)))
    .sort();
}
