/**
 * The address without user, password, query and fragment: what may stand in a published document. Not a URL (a path, a
 * scp-like git address): whatever stands before an `@` in its first part is dropped.
 */
export function withoutCredentials(address: string): string {
  if (!URL.canParse(address)) return address.replace(/^[^/@]*@/, '');
  const url = new URL(address);
  if (url.protocol === 'pkg:') return address;
  [url.username, url.password, url.search, url.hash] = ['', '', '', ''];
  return url.href;
}
