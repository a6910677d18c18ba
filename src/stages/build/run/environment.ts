import { chown, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildStepConfig } from '../../../kernel/config.ts';
import type { SandboxMount } from '../../../platform/process/command.ts';
import { removeTree } from '../tree/remove.ts';
import type { Variation } from './variation.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const PROXY = ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy', 'ftp_proxy'];
const PACKAGE_MANAGER = [
  'npm_config_registry',
  'npm_config_proxy',
  'npm_config_https_proxy',
  'npm_config_noproxy',
];
/** Variables that name a file with certificates; the file is shown to the step. */
const CERTIFICATES = ['NODE_EXTRA_CA_CERTS', 'npm_config_cafile', 'SSL_CERT_FILE'];

/** The variables of a step besides PATH, HOME and TMPDIR. What the step declares wins over what is given. */
export function stepEnvironment(
  step: BuildStepConfig,
  variation: Variation,
  epochS: number,
  operator: Environment,
): Record<string, string> {
  return {
    LANG: variation.locale,
    TZ: variation.timezone,
    SOURCE_DATE_EPOCH: String(epochS),
    CI: 'true',
    ...(step.network ? networkSettings(operator) : {}),
    ...step.env,
  };
}

/** The operator's way to the network; nothing else of the operator's environment passes. */
export function networkSettings(operator: Environment): Record<string, string> {
  const names = [...PROXY, ...PROXY.map((name) => name.toUpperCase()), ...PACKAGE_MANAGER];
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = operator[name] ?? (name.startsWith('npm_') ? operator[name.toUpperCase()] : undefined);
    if (value) found[name] = value;
  }
  return found;
}

/** Passwords in proxy and registry addresses: network steps need them, logs must not show them. */
export function networkSecrets(operator: Environment): string[] {
  return Object.values(networkSettings(operator)).flatMap((value) => {
    try {
      const { password } = new URL(value);
      return password === '' ? [] : [password, decodeURIComponent(password)];
    } catch {
      return [];
    }
  });
}

/** Certificates and the service's own npm cache, for steps with network. */
export async function networkMounts(
  dataDirectory: string,
  service: string,
  owner: { uid: number; gid: number } | null,
  operator: Environment,
): Promise<SandboxMount[]> {
  const cache = join(dataDirectory, 'cache', 'npm', service);
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const uid = owner?.uid ?? process.getuid?.() ?? 0;
  if ((await lstat(cache)).uid !== uid) {
    // Made under another sandbox: the step could not write to it. It is only a cache.
    await removeTree(cache);
    await mkdir(cache, { mode: 0o755 });
    if (owner) await chown(cache, owner.uid, owner.gid);
  }
  const mounts: SandboxMount[] = [
    { host: cache, inside: '/build/cache/npm', writable: true, variable: 'npm_config_cache' },
  ];
  for (const variable of CERTIFICATES) {
    const host = operator[variable];
    if (!host?.startsWith('/')) continue;
    const found = await lstat(host).catch(() => null);
    if (found)
      mounts.push({ host, inside: `/build/certificates/${variable}.pem`, writable: false, variable });
  }
  return mounts;
}
