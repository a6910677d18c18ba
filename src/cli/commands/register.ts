import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EXIT } from '../errors.ts';
import { pairs } from '../output/table.ts';
import type { Run } from '../spec.ts';

export const register: Run = async (context, { args, text }) => {
  const { io, output } = context;
  const api = await context.api();
  const body = {
    repository: await absolute(io.cwd, args[0] ?? ''),
    branch: text('branch') ?? 'main',
    ...(text('name') === undefined ? {} : { name: text('name') as string }),
  };
  const service = await api.call(api.patient.POST('/v1/services', { body }));
  const { hook } = service;
  // A secret is for the person who asked, not for the log of a CI job.
  const shown =
    hook.secret === null
      ? null
      : io.stdout.isTTY
        ? hook.secret
        : 'not shown outside a terminal; ask with --json=hook';
  await output.result(
    service,
    `${service.created ? 'registered' : 'already registered'} ${output.style.bold(service.name)}\n${pairs([
      ['repository', service.repository],
      ['branch', service.branch],
      shown === null ? null : ['webhook secret', shown],
      [
        'webhook',
        hook.paths.github
          ? `${api.url}${hook.paths.github} (and ${Object.keys(hook.paths).slice(1).join(', ')})`
          : '-',
      ],
    ])}`,
  );
  output.note(`next: slipway release ${service.name} --watch`);
  return EXIT.ok;
};

/** A path on this machine is made absolute: the server has another working directory. */
async function absolute(cwd: string, repository: string): Promise<string> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(repository) || repository.startsWith('/')) return repository;
  const path = resolve(cwd, repository);
  return access(path).then(
    () => path,
    () => repository,
  );
}
