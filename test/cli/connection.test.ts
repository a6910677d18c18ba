import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ConnectionFlags, explainConnection, resolveConnection } from '../../src/cli/connection.ts';
import { createIo } from './io.ts';
import { fakeLocal } from './local.ts';

let home = '';
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-home-'));
});
after(() => rm(home, { recursive: true, force: true }));

const INSTALLED = { url: 'http://127.0.0.1:4510', token: 'slp_local' };

async function connect(options: {
  flags?: ConnectionFlags;
  env?: Record<string, string>;
  installed?: typeof INSTALLED | null;
  config?: unknown;
  stdin?: string;
}) {
  const path = join(home, '.config', 'slipway', 'config.json');
  await mkdir(dirname(path), { recursive: true });
  if (options.config === undefined) await rm(path, { force: true });
  else
    await writeFile(
      path,
      typeof options.config === 'string' ? options.config : JSON.stringify(options.config),
      { mode: 0o600 },
    );
  const io = createIo({ env: { HOME: home, ...options.env }, cwd: home, stdin: options.stdin ?? '' });
  const { local } = fakeLocal(options.installed === undefined ? INSTALLED : options.installed);
  const { url, token } = await resolveConnection(io, local, options.flags ?? {});
  return { url, token };
}

const PROFILES = {
  current: 'work',
  profiles: {
    work: { url: 'https://work.example', token: 'slp_work' },
    home: { url: 'https://home.example/', tokenFile: 'home.token' },
  },
};

test('the installation in the data directory, with its token', async () => {
  assert.deepEqual(await connect({}), { url: 'http://127.0.0.1:4510', token: 'slp_local' });
});

test('flag before environment before data directory before profile', async () => {
  const config = PROFILES;
  const all = { env: { SLIPWAY_URL: 'https://env.example' }, config };
  assert.equal(
    (await connect({ ...all, flags: { url: 'https://flag.example' } })).url,
    'https://flag.example',
  );
  assert.equal((await connect({ ...all, flags: { data: '/srv' } })).url, 'http://127.0.0.1:4510');
  assert.equal((await connect({ ...all, flags: { profile: 'work' } })).url, 'https://work.example');
  assert.equal((await connect(all)).url, 'https://env.example');
  assert.equal(
    (await connect({ config, env: { SLIPWAY_PROFILE: 'home' } }).catch((error) => error)).code,
    'usage',
    'the token file of a profile must be there',
  );
  assert.equal((await connect({ config })).url, 'http://127.0.0.1:4510');
  assert.deepEqual(await connect({ config, installed: null }), {
    url: 'https://work.example',
    token: 'slp_work',
  });
  await writeFile(join(home, '.config', 'slipway', 'home.token'), 'slp_home\n');
  assert.deepEqual(await connect({ config, env: { SLIPWAY_PROFILE: 'home' } }), {
    url: 'https://home.example',
    token: 'slp_home',
  });
});

test('a token goes only to the address it belongs to', async () => {
  assert.equal((await connect({ flags: { url: 'https://evil.example' }, config: PROFILES })).token, null);
  assert.equal(
    (await connect({ env: { SLIPWAY_URL: 'http://127.0.0.1:4511' } })).token,
    null,
    'another port is another server',
  );
  assert.equal((await connect({ env: { SLIPWAY_URL: 'http://127.0.0.1:4510/' } })).token, 'slp_local');
  assert.equal((await connect({ env: { SLIPWAY_TOKEN: ' slp_env ' } })).token, 'slp_env');
  assert.equal(
    (await connect({ flags: { data: '/srv' }, env: { SLIPWAY_TOKEN: 'slp_env' } })).token,
    'slp_local',
    'a flag names address and token',
  );
  await writeFile(join(home, 'mine.token'), 'slp_file\n');
  assert.equal(
    (await connect({ flags: { tokenFile: 'mine.token' }, env: { SLIPWAY_TOKEN: 'slp_env' } })).token,
    'slp_file',
  );
  assert.equal((await connect({ flags: { tokenFile: '-' }, stdin: 'slp_stdin\n' })).token, 'slp_stdin');
  assert.equal(
    (await connect({ flags: { tokenFile: '-' }, stdin: 'two words' }).catch((error) => error)).code,
    'usage',
  );
});

test('a data directory that was named and is not there is an error, never another server', async () => {
  const missing = (options: Parameters<typeof connect>[0]) =>
    connect({ ...options, installed: null, config: PROFILES }).then(
      () => 'connected',
      (error) => error.code,
    );
  assert.equal(await missing({ flags: { data: '/srv' } }), 'unreachable');
  assert.equal(await missing({ env: { SLIPWAY_DATA: '/srv' } }), 'unreachable');
  assert.equal(await missing({}), 'connected');
  assert.equal(await connect({ installed: null }).catch((error) => error.code), 'unreachable');
});

test('addresses and files that cannot be used are refused', async () => {
  for (const url of ['ftp://x', 'nonsense', 'http://user:pass@host', 'javascript:alert(1)'])
    assert.equal(await connect({ flags: { url } }).catch((error) => error.code), 'usage', url);
  assert.equal(
    (await connect({ config: '{', flags: { url: 'https://a.example' } })).url,
    'https://a.example',
  );
  for (const config of ['{', '[]', { profiles: { a: {} } }])
    assert.equal(
      await connect({ config, installed: null }).catch((error) => error.code),
      'invalid_config',
      JSON.stringify(config),
    );
  assert.equal(await connect({ flags: { profile: 'none' } }).catch((error) => error.code), 'usage');
});

test('what is unwise is said: a token others can read, a token in the clear', async () => {
  const path = join(home, '.config', 'slipway', 'config.json');
  await writeFile(path, JSON.stringify({ url: 'http://far.example', token: 'slp_x' }));
  await chmod(path, 0o644);
  const { local } = fakeLocal(null);
  const { warnings, token, url } = await explainConnection(createIo({ env: { HOME: home } }), local, {});
  assert.deepEqual([url, token], ['http://far.example', 'slp_x']);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /chmod 600/);
  assert.match(warnings[1] ?? '', /without encryption/);
});
