import { isRepositoryName } from './names.ts';

/** What a request path names. References, digests and ids are as the client wrote them, not yet judged. */
export type Target =
  | { kind: 'base' }
  | { kind: 'token' }
  | { kind: 'catalog' }
  | { kind: 'blob'; repository: string; digest: string }
  | { kind: 'uploads'; repository: string }
  | { kind: 'upload'; repository: string; id: string }
  | { kind: 'manifest'; repository: string; reference: string }
  | { kind: 'tags'; repository: string }
  | { kind: 'referrers'; repository: string; digest: string }
  | { kind: 'badName'; name: string }
  | { kind: 'nowhere' };

/**
 * Reads a raw request path (no query). Segments are decoded one by one, and one with an encoded slash stays encoded, which
 * every grammar refuses. A repository name may itself contain `manifests`, `blobs` or `tags`: the last
 * segments decide.
 */
export function parseTarget(path: string): Target {
  const segments = decodeSegments(path);
  if (segments?.[0] !== '' || segments[1] !== 'v2') return { kind: 'nowhere' };
  const rest = segments.slice(2);
  if (rest.length === 0 || (rest.length === 1 && rest[0] === '')) return { kind: 'base' };
  if (rest.length === 1 && rest[0] === 'token') return { kind: 'token' };
  if (rest.length === 1 && rest[0] === '_catalog') return { kind: 'catalog' };
  const [found, names] = parseTail(rest);
  if (!found) return { kind: 'nowhere' };
  const repository = names.join('/');
  return isRepositoryName(repository) ? found(repository) : { kind: 'badName', name: repository };
}

type Found = ((repository: string) => Target) | null;

function parseTail(segments: string[]): [Found, string[]] {
  const [third, second, last] = [segments.at(-3), segments.at(-2), segments.at(-1)] as [
    string?,
    string?,
    string?,
  ];
  const before = (count: number) => segments.slice(0, -count);
  if (third === 'blobs' && second === 'uploads') {
    const id = last ?? '';
    return [
      (repository) => (id === '' ? { kind: 'uploads', repository } : { kind: 'upload', repository, id }),
      before(3),
    ];
  }
  if (second === 'blobs' && last === 'uploads')
    return [(repository) => ({ kind: 'uploads', repository }), before(2)];
  if (second === 'tags' && last === 'list')
    return [(repository) => ({ kind: 'tags', repository }), before(2)];
  if (!last) return [null, []];
  if (second === 'blobs') return [(repository) => ({ kind: 'blob', repository, digest: last }), before(2)];
  if (second === 'manifests')
    return [(repository) => ({ kind: 'manifest', repository, reference: last }), before(2)];
  if (second === 'referrers')
    return [(repository) => ({ kind: 'referrers', repository, digest: last }), before(2)];
  return [null, []];
}

function decodeSegments(path: string): string[] | null {
  try {
    return path.split('/').map((segment) => {
      const decoded = decodeURIComponent(segment);
      return decoded.includes('/') ? segment : decoded;
    });
  } catch {
    return null;
  }
}
