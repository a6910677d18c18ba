import type { PlatformConfig, ServiceConfig } from '../../kernel/config.ts';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';
import type { Git } from '../../platform/git/git.ts';
import type { Mirror } from '../../platform/git/mirror.ts';
import { readFileAt } from '../../platform/git/objects.ts';
import { configDigest } from '../../support/config/digest.ts';
import { MAX_FILE_BYTES } from '../../support/config/encoding.ts';
import { parseServiceConfig } from '../../support/config/service.ts';
import { readYaml } from '../../support/config/yaml.ts';
import { CONFIG_FILE } from './deps.ts';

export interface ConfigAtCommit {
  config: ServiceConfig;
  digest: Digest;
  releases: 'latest' | 'every';
}

/**
 * The service's configuration as a commit holds it. Throws `invalid_config` with diagnostics (file, line, column),
 * `commit_not_found`. With `name`, the document must be of that service; with a platform, names are checked against it.
 */
export async function readConfigAt(
  git: Git,
  mirror: Mirror,
  sha: string,
  expected: { name?: string | undefined; platform?: PlatformConfig | undefined } = {},
): Promise<ConfigAtCommit> {
  const bytes = await readFileAt(git, mirror, sha, CONFIG_FILE, MAX_FILE_BYTES);
  if (bytes === null) {
    throw new SlipwayError('invalid_config', `commit ${sha.slice(0, 12)} has no ${CONFIG_FILE} at its root`, {
      hint: '"slipway init" writes a first one; commit and push it.',
    });
  }
  const { config, diagnostics, releases } = parseServiceConfig(CONFIG_FILE, bytes, expected.platform);
  if (config === null) {
    const count = diagnostics.length === 1 ? 'an error' : `${diagnostics.length} errors`;
    throw new SlipwayError('invalid_config', `${CONFIG_FILE} in commit ${sha.slice(0, 12)} has ${count}`, {
      diagnostics,
    });
  }
  if (expected.name !== undefined && config.name !== expected.name) {
    const position = readYaml(CONFIG_FILE, bytes).documents[0]?.locate(['name']);
    const diagnostic = {
      path: 'name',
      message: `name: expected "${expected.name}", got "${config.name}"`,
      hint: 'A service keeps its name; register a renamed one anew.',
      ...(position ? { position } : {}),
    };
    throw new SlipwayError('invalid_config', `${CONFIG_FILE} describes another service`, {
      diagnostics: [diagnostic],
    });
  }
  return { config, digest: configDigest(config), releases };
}
