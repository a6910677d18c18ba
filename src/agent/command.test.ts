import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSlipwayError } from '../kernel/errors.ts';
import { type ImageRunConfig, planCommand } from './command.ts';

const files: Record<string, 'program' | 'file' | 'directory'> = {
  '/img/app': 'directory',
  '/img/app/run.sh': 'program',
  '/img/app/notes': 'file',
  '/img/usr/bin/tool': 'program',
  '/host/bin/node': 'program',
};
const config = (fields: Partial<ImageRunConfig>): ImageRunConfig => ({
  entrypoint: ['node', 'server.js'],
  command: [],
  env: [],
  workdir: '/app',
  ...fields,
});
const planned = (fields: Partial<ImageRunConfig>, own: typeof files = files, env = {}) =>
  planCommand(config(fields), env, {
    rootfs: '/img',
    runtimeDirectory: '/host/bin',
    kindOf: (path) => own[path] ?? null,
  });

test('without a node in the image the host runs it; with one, the image does', () => {
  const host = planned({ command: ['--flag'] });
  assert.deepEqual(
    [host.program, host.args, host.hostRuntime, host.workdir],
    ['/host/bin/node', ['server.js', '--flag'], true, '/img/app'],
  );
  const own = planned({}, { ...files, '/img/usr/local/bin/node': 'program' });
  assert.deepEqual([own.program, own.hostRuntime], ['/img/usr/local/bin/node', false]);
  assert.equal(planned({ entrypoint: ['/usr/local/bin/node', 'x'] }).program, '/host/bin/node');
});

test('paths are the image’s: absolute, relative to the working directory, and on its PATH', () => {
  assert.equal(planned({ entrypoint: ['/usr/bin/tool'] }).program, '/img/usr/bin/tool');
  assert.equal(planned({ entrypoint: ['./run.sh'] }).program, '/img/app/run.sh');
  assert.equal(planned({ entrypoint: ['tool'] }).program, '/img/usr/bin/tool');
  assert.equal(
    planned({ entrypoint: ['tool'], env: ['PATH=/usr/bin:relative'] }).env.PATH,
    '/img/usr/bin:/host/bin',
  );
});

test('what would climb out of the image, or is no program, is not started', () => {
  const refused = (error: unknown) => isSlipwayError(error) && error.code === 'invalid_input';
  const host = { ...files, '/bin/sh': 'program' as const, '/etc': 'directory' as const };
  for (const entrypoint of [['../../bin/sh'], ['/../../bin/sh'], ['/bin/sh'], ['./notes'], [], ['']]) {
    assert.throws(() => planned({ entrypoint }, host), refused, entrypoint.join());
  }
  assert.throws(() => planned({ workdir: '../../etc' }, host), refused);
});

test('the spec wins over the image, and what is no variable is left out', () => {
  const { env } = planned(
    { env: ['A=image', 'B=with=equals', 'no-name', '=x', 'BASH_FUNC_x%%=() { :; }'] },
    files,
    { A: 'spec' },
  );
  assert.equal(env.A, 'spec');
  assert.equal(env.B, 'with=equals');
  assert.deepEqual(Object.keys(env).sort(), ['A', 'B', 'PATH']);
});
