import type { AccessConfig } from '../../kernel/config.ts';
import { NAME_PATTERN } from '../../kernel/ids.ts';
import { type Principal, VERBS, type Verb } from '../../platform/http/route.ts';

/** What a request is about. An absent part means the request is about all of them. */
export interface Scope {
  service?: string | undefined;
  environment?: string | undefined;
}

export interface Permission {
  allowed: boolean;
  /** A sentence for the log and the person: which role allowed it, or what is missing. */
  reason: string;
}

/**
 * May the principal do `verb` there? Nothing is allowed that no role allows: unknown verbs, roles and names deny. Roles of
 * the token itself hold everywhere; grants hold where they say. A request about all services or environments needs a
 * grant of "*", with one exception: reading a service needs a grant for that service in any environment.
 */
export function authorize(
  access: AccessConfig,
  principal: Principal,
  verb: Verb,
  scope: Scope = {},
): Permission {
  const where = describeScope(scope);
  const deny = (why: string): Permission => ({ allowed: false, reason: why });
  if (!(VERBS as readonly string[]).includes(verb)) return deny('the verb is not known');
  for (const name of [scope.service, scope.environment]) {
    if (name !== undefined && !NAME_PATTERN.test(name))
      return deny('the name of a service or environment is not valid');
  }
  for (const role of principal.roles) {
    if (verbsOf(access, role).includes(verb))
      return { allowed: true, reason: `role ${role} of ${principal.actor}` };
  }
  for (const grant of access.grants) {
    if (grant.subject !== principal.actor || !verbsOf(access, grant.role).includes(verb)) continue;
    if (covers(grant, verb, scope)) {
      return { allowed: true, reason: `role ${grant.role} granted to ${principal.actor} ${where}` };
    }
  }
  return deny(`${principal.actor} has no role that may "${verb}" ${where}`);
}

function covers(grant: AccessConfig['grants'][number], verb: Verb, scope: Scope): boolean {
  const inService =
    grant.services.includes('*') || (scope.service !== undefined && grant.services.includes(scope.service));
  if (!inService) return false;
  if (grant.environments.includes('*')) return true;
  if (scope.environment !== undefined) return grant.environments.includes(scope.environment);
  return verb === 'read' && scope.service !== undefined && grant.environments.length > 0;
}

/** `admin` may everything, whatever a document says, so that nobody is locked out. */
export function verbsOf(access: AccessConfig, role: string): readonly string[] {
  if (role === 'admin') return VERBS;
  return Object.hasOwn(access.roles, role) ? (access.roles[role] ?? []) : [];
}

function describeScope({ service, environment }: Scope): string {
  if (service === undefined && environment === undefined) return 'everywhere';
  return `on ${service ?? 'every service'} in ${environment ?? 'every environment'}`;
}
