import { PackageURL } from 'packageurl-js';
import { withoutCredentials } from '../urls.ts';
import type { LockedPackage } from './lockfile.ts';

/** Registries whose packages need no address in their purl. */
const DEFAULT_REGISTRY = /^https?:\/\/registry\.(npmjs\.org|yarnpkg\.com)\//;

/** A package URL; null when the lockfile's name or version cannot make one. */
export function purlOf(locked: LockedPackage): string | null {
  const slash = locked.name.startsWith('@') ? locked.name.indexOf('/') : -1;
  const namespace = slash === -1 ? undefined : locked.name.slice(0, slash);
  const name = locked.name.slice(slash + 1);
  try {
    return new PackageURL(
      'npm',
      namespace,
      name,
      locked.version ?? undefined,
      qualifiersOf(locked.resolved),
      undefined,
    ).toString();
  } catch {
    return null;
  }
}

function qualifiersOf(resolved: string | null): Record<string, string> | undefined {
  if (resolved === null || DEFAULT_REGISTRY.test(resolved)) return undefined;
  if (/^git[+:]/.test(resolved)) {
    const [address = '', commit = ''] = resolved.split('#');
    return {
      vcs_url: commit === '' ? withoutCredentials(address) : `${withoutCredentials(address)}@${commit}`,
    };
  }
  if (/^https?:\/\//.test(resolved)) return { download_url: withoutCredentials(resolved) };
  return undefined;
}
