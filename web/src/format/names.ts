/** Short forms of long names; the whole one is always a title or a copy away. */

/** `56109e61a212` of a digest, whatever its algorithm. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.slice(colon + 1, colon + 13);
}

export function shortCommit(sha: string): string {
  return sha.slice(0, 10);
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** `12 instances`, `1 instance`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

/** Only http and https addresses may become links: a repository or SBOM may name `javascript:` anything. */
export function webUrl(text: string | null | undefined): string | null {
  if (!text || !URL.canParse(text)) return null;
  const { protocol } = new URL(text);
  return protocol === 'http:' || protocol === 'https:' ? text : null;
}
