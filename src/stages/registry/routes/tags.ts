import { registryError } from '../errors.ts';
import { type Exchange, replyJson, requireAny } from '../exchange.ts';
import { listRepositories, listTags, repositoryExists } from '../store/lists.ts';

/** Most names in one page; also what a client gets that asks for no number. */
const PAGE_MAX = 1_000;

/** `GET /v2/<name>/tags/list?n=&last=`, in ASCII order. */
export async function getTags(exchange: Exchange, { repository }: { repository: string }): Promise<void> {
  requireAny(exchange, ['pull'], repository);
  const { limit, last } = pageOf(exchange.query);
  const { database } = exchange.deps;
  const tags = limit === 0 ? [] : await listTags(database, repository, last, limit + 1);
  if (tags.length === 0 && !(await repositoryExists(database, repository))) {
    throw registryError('NAME_UNKNOWN', `there is no repository ${repository}`);
  }
  const page = tags.slice(0, limit);
  const link = tags.length > limit ? nextPage(`/v2/${repository}/tags/list`, limit, page.at(-1)!) : {};
  replyJson(exchange, 200, { name: repository, tags: page }, link);
}

/** `GET /v2/_catalog?n=&last=`: the repositories the caller may pull from. */
export async function getCatalog(exchange: Exchange): Promise<void> {
  const { deps, principal } = exchange;
  const { limit, last } = pageOf(exchange.query);
  const page: string[] = [];
  let more = false;
  for (let after = last; limit > 0; ) {
    const names = await listRepositories(deps.database, after, PAGE_MAX);
    const visible = names.filter((name) => deps.allowed(principal, 'pull', name));
    page.push(...visible.slice(0, limit + 1 - page.length));
    more = page.length > limit;
    if (more || names.length < PAGE_MAX) break;
    after = names.at(-1)!;
  }
  const repositories = page.slice(0, limit);
  replyJson(
    exchange,
    200,
    { repositories },
    more ? nextPage('/v2/_catalog', limit, repositories.at(-1)!) : {},
  );
}

function pageOf(query: URLSearchParams): { limit: number; last: string } {
  const n = query.get('n');
  if (n !== null && !/^\d{1,9}$/.test(n))
    throw registryError('UNSUPPORTED', 'n is not a number of entries', { status: 400 });
  const last = query.get('last') ?? '';
  if (last.includes('\0')) throw registryError('UNSUPPORTED', 'last is not a name', { status: 400 });
  return { limit: n === null ? PAGE_MAX : Math.min(Number(n), PAGE_MAX), last };
}

function nextPage(path: string, limit: number, last: string): { Link: string } {
  return { Link: `<${path}?n=${limit}&last=${encodeURIComponent(last)}>; rel="next"` };
}
