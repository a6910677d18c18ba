import type { AccessConfig } from '../../kernel/config.ts';
import { VERBS } from '../../platform/http/route.ts';

/** Least first. `admin` can be neither redefined nor taken away, so that nobody locks themselves out. */
export const BUILTIN_ROLES = {
  viewer: ['read'],
  developer: ['read', 'release'],
  operator: ['read', 'release', 'promote', 'operate'],
  approver: ['read', 'approve'],
  'release-manager': ['read', 'release', 'promote', 'approve', 'operate'],
  admin: [...VERBS],
} as const satisfies AccessConfig['roles'];
