import { SlipwayError } from '../../kernel/errors.ts';

/** One line of `git ls-tree -r -z --long`. */
export interface TreeEntry {
  path: string;
  kind: 'file' | 'executable' | 'link' | 'submodule';
  oid: string;
  /** 0 for a submodule. */
  size: number;
}

const MAX_PATH_BYTES = 4000;
const MAX_LINK_BYTES = 4000;
const MAX_LINK_HOPS = 40;

const KINDS: Readonly<Record<string, TreeEntry['kind']>> = {
  '100644': 'file',
  '100664': 'file',
  '100755': 'executable',
  '120000': 'link',
  '160000': 'submodule',
};

/** Throws `invalid_input` on modes and names git itself would not write. */
export function parseTree(listing: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let start = 0; start < listing.length; ) {
    const end = listing.indexOf(0, start);
    const line = listing.subarray(start, end < 0 ? listing.length : end);
    start = end < 0 ? listing.length : end + 1;
    const tab = line.indexOf(9);
    const [mode = '', , oid = '', size = ''] = line.subarray(0, tab).toString('latin1').split(/ +/);
    const bytes = line.subarray(tab + 1);
    const path = bytes.toString('utf8');
    const kind = KINDS[mode];
    if (!kind) throw refused(path, `has the mode ${mode}`);
    if (!bytes.equals(Buffer.from(path))) throw refused(path, 'is not named in UTF-8');
    entries.push({ path, kind, oid, size: kind === 'submodule' ? 0 : Number(size) });
  }
  return entries;
}

/**
 * Refuses a tree that could write or point outside of where it is put. With `links` (path to target), the targets are
 * followed through the tree, so that links over links cannot climb out either.
 */
export function checkTree(
  entries: readonly TreeEntry[],
  limits: { maxFiles: number; maxFileBytes: number; maxTotalBytes: number },
  links?: ReadonlyMap<string, string>,
): void {
  if (links) {
    for (const path of links.keys()) checkLink(path, links);
    return;
  }
  if (entries.length > limits.maxFiles) throw tooLarge(`more than ${limits.maxFiles} files`);
  let total = 0;
  const taken = new Map<string, 'entry' | 'folder'>();
  for (const entry of entries) {
    checkPath(entry.path);
    if (entry.size > (entry.kind === 'link' ? MAX_LINK_BYTES : limits.maxFileBytes)) {
      throw tooLarge(`the file ${entry.path.slice(0, 200)} of ${entry.size} bytes`);
    }
    total += entry.size;
    if (total > limits.maxTotalBytes) throw tooLarge(`more than ${limits.maxTotalBytes} bytes`);
    if (taken.has(entry.path)) throw refused(entry.path, 'stands twice in the commit');
    taken.set(entry.path, 'entry');
    for (let slash = entry.path.lastIndexOf('/'); slash > 0; slash = entry.path.lastIndexOf('/', slash - 1)) {
      const folder = entry.path.slice(0, slash);
      if (taken.get(folder) === 'entry') throw refused(folder, 'is both a file and a folder');
      taken.set(folder, 'folder');
    }
  }
}

function checkPath(path: string): void {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw refused(path, 'has too long a name');
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..')
      throw refused(path, 'could leave the folder of the source');
    // NTFS and HFS+ have more spellings of ".git"; git's fsck, which runs on every fetch, refuses those.
    if (part.toLowerCase() === '.git') throw refused(path, 'would write into a .git folder');
    if (part.includes('\\') || part.includes('\0'))
      throw refused(path, 'has a character that is not allowed');
  }
}

/** Follows a link as the kernel would, with what is not a link taken as a folder. */
function checkLink(path: string, links: ReadonlyMap<string, string>): void {
  let here = path.split('/').slice(0, -1);
  let pending = target(path, links);
  let hops = 0;
  while (pending.length > 0) {
    const part = pending.shift()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (here.length === 0) throw outside(path);
      here = here.slice(0, -1);
      continue;
    }
    const next = [...here, part];
    const link = next.join('/');
    if (!links.has(link)) {
      here = next;
      continue;
    }
    if (++hops > MAX_LINK_HOPS) throw refused(path, 'is a symbolic link that leads in a circle');
    pending = [...target(link, links), ...pending];
  }
}

function target(path: string, links: ReadonlyMap<string, string>): string[] {
  const text = links.get(path) ?? '';
  if (text.startsWith('/') || text === '' || text.includes('\0')) throw outside(path);
  return text.split('/');
}

function outside(path: string): SlipwayError {
  return refused(path, 'is a symbolic link that points outside of the source');
}

function refused(path: string, why: string): SlipwayError {
  const shown = path.replace(/\p{Cc}/gu, '?').slice(0, 200);
  return new SlipwayError('invalid_input', `the commit cannot be exported: ${shown} ${why}`, {
    hint: 'Remove it from the repository.',
  });
}

function tooLarge(what: string): SlipwayError {
  return new SlipwayError('payload_too_large', `the commit is too large to export: ${what}`, {
    hint: 'Keep large files out of the repository.',
  });
}
