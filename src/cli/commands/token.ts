import { SlipwayError } from '../../kernel/errors.ts';
import { isId } from '../../kernel/ids.ts';
import { EXIT, usage } from '../errors.ts';
import { paintState } from '../output/style.ts';
import { table } from '../output/table.ts';
import { ago, parseDuration } from '../output/time.ts';
import type { Run } from '../spec.ts';
import { closest } from '../suggest.ts';

export const create: Run = async (context, input) => {
  const { output } = context;
  const expires = input.text('expires') ?? '90d';
  const expiresInS = expires === 'never' ? null : parseDuration(expires);
  if (expires !== 'never' && expiresInS === null)
    throw usage(`--expires takes a time like 12h or 30d, or never, not "${expires}"`);
  const api = await context.api();
  const created = await api.call(
    api.client.POST('/v1/tokens', {
      body: { name: input.args[0] ?? '', roles: [...input.list('role')], expiresInS },
    }),
  );
  await output.result(created, created.token);
  const until = created.expiresAt === null ? 'never expires' : `expires ${created.expiresAt}`;
  output.note(
    `${created.name} (${created.id}): ${created.roles.join(', ') || 'no roles but those the access document grants'}; ${until}. It is not shown again.`,
  );
  return EXIT.ok;
};

export const list: Run = async (context) => {
  const { io, output } = context;
  const api = await context.api();
  const { tokens } = await api.call(api.client.GET('/v1/tokens'));
  const rows = tokens.map(({ id, name, roles, state, createdAt, expiresAt }) => [
    name,
    paintState(output.style, state),
    roles.join(', ') || '-',
    ago(createdAt, io.nowMs()),
    expiresAt === null ? 'never' : ago(expiresAt, io.nowMs()),
    id,
  ]);
  await output.result(
    tokens,
    rows.length === 0 ? '' : table(['NAME', 'STATE', 'ROLES', 'CREATED', 'EXPIRES', 'ID'], rows),
  );
  if (rows.length === 0) output.note('there are no tokens');
  return EXIT.ok;
};

export const revoke: Run = async (context, { args }) => {
  const { output } = context;
  const api = await context.api();
  const wanted = args[0] ?? '';
  const token = isId(wanted, 'tok') ? wanted : await findByName(context, wanted);
  const revoked = await api.call(api.client.DELETE('/v1/tokens/{token}', { params: { path: { token } } }));
  await output.result(revoked, `revoked ${revoked.name} (${revoked.id})`);
  return EXIT.ok;
};

async function findByName(context: Parameters<Run>[0], name: string): Promise<string> {
  const api = await context.api();
  const { tokens } = await api.call(api.client.GET('/v1/tokens'));
  const active = tokens.filter((token) => token.state === 'active');
  const found = active.filter((token) => token.name === name);
  const [first, second] = found;
  if (first && !second) return first.id;
  if (second)
    throw usage(
      `${found.length} active tokens are named "${name}"`,
      `give an id: ${found.map(({ id }) => id).join(', ')}`,
    );
  const meant = closest(
    name,
    active.map((token) => token.name),
  );
  throw new SlipwayError('not_found', `there is no active token "${name}"`, {
    hint: meant ? `did you mean ${meant}?` : 'slipway token list',
  });
}
