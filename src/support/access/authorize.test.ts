import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessConfig } from '../../kernel/config.ts';
import { VERBS, type Verb } from '../../platform/http/route.ts';
import { BUILTIN_ROLES } from '../config/builtin-roles.ts';
import { authorize } from './authorize.ts';

const access: AccessConfig = {
  roles: { ...BUILTIN_ROLES, nothing: [] },
  grants: [
    { subject: 'token:team', role: 'release-manager', services: ['shop'], environments: ['dev', 'staging'] },
    { subject: 'token:team', role: 'viewer', services: ['shop'], environments: ['prod'] },
    { subject: 'token:watch', role: 'viewer', services: ['*'], environments: ['*'] },
    { subject: 'token:prod', role: 'operator', services: ['*'], environments: ['prod'] },
    { subject: 'token:lost', role: 'vanished', services: ['*'], environments: ['*'] },
  ],
};

const may = (actor: string, verb: Verb, scope = {}, roles: string[] = []) =>
  authorize(access, { actor, roles }, verb, scope).allowed;

test('roles of a token hold everywhere, with their own verbs only', () => {
  assert.ok(may('token:x', 'administer', {}, ['admin']));
  assert.ok(may('token:x', 'read', { service: 'shop' }, ['viewer']));
  assert.ok(!may('token:x', 'operate', { service: 'shop', environment: 'dev' }, ['viewer']));
  assert.ok(!may('token:x', 'read', {}, ['vanished', 'nothing', '__proto__', 'constructor', 'toString']));
  assert.ok(!may('token:x', 'read'));
});

test('grants hold where they say', () => {
  assert.ok(may('token:team', 'promote', { service: 'shop', environment: 'dev' }));
  assert.ok(!may('token:team', 'promote', { service: 'shop', environment: 'prod' }));
  assert.ok(may('token:team', 'read', { service: 'shop', environment: 'prod' }));
  assert.ok(may('token:team', 'read', { service: 'shop' }), 'the page of a service one may see somewhere');
  assert.ok(!may('token:team', 'release', { service: 'shop' }), 'a release reaches every environment');
  assert.ok(!may('token:team', 'read', { service: 'other' }));
  assert.ok(!may('token:team', 'read'), 'not the list of all services');
  assert.ok(may('token:watch', 'read'));
  assert.ok(may('token:prod', 'operate', { service: 'any', environment: 'prod' }));
  assert.ok(!may('token:prod', 'operate', { environment: 'dev', service: 'any' }));
  assert.ok(!may('token:lost', 'read'));
  assert.ok(!may('token:TEAM', 'read', { service: 'shop' }));
});

test('a name that is none, and a verb that is none, deny', () => {
  for (const name of ['*', '', '../x', 'Shop', 'a/b']) {
    assert.ok(!may('token:watch', 'read', { service: name }));
    assert.ok(!may('token:x', 'read', { environment: name }, ['admin']));
  }
  assert.ok(!may('token:x', 'destroy' as Verb, {}, ['admin']));
});

test('admin stays admin, whatever a document says', () => {
  const broken: AccessConfig = { roles: { admin: [] }, grants: [] };
  assert.ok(authorize(broken, { actor: 'token:admin', roles: ['admin'] }, 'configure').allowed);
});

test('the reason says which role allowed it, or what is missing', () => {
  const yes = authorize(access, { actor: 'token:team', roles: [] }, 'promote', {
    service: 'shop',
    environment: 'dev',
  });
  assert.match(yes.reason, /release-manager.*shop.*dev/);
  const no = authorize(access, { actor: 'token:team', roles: [] }, 'promote', {
    service: 'shop',
    environment: 'prod',
  });
  assert.match(no.reason, /token:team.*"promote".*shop.*prod/);
});

test('law: more roles and grants never allow less; without any nothing is allowed', () => {
  const name = fc.constantFrom('shop', 'cart', 'dev', 'prod');
  const scope = fc.record({ service: name, environment: name }, { requiredKeys: [] });
  const grant = fc.record({
    subject: fc.constantFrom('token:a', 'token:b'),
    role: fc.constantFrom('viewer', 'operator', 'admin', 'none'),
    services: fc.subarray(['*', 'shop', 'cart']),
    environments: fc.subarray(['*', 'dev', 'prod']),
  });
  fc.assert(
    fc.property(
      fc.array(grant, { maxLength: 4 }),
      grant,
      scope,
      fc.constantFrom(...VERBS),
      (grants, more, where, verb) => {
        const principal = { actor: 'token:a', roles: [] };
        const before = authorize({ roles: BUILTIN_ROLES, grants }, principal, verb, where).allowed;
        const after = authorize(
          { roles: BUILTIN_ROLES, grants: [...grants, more] },
          principal,
          verb,
          where,
        ).allowed;
        assert.ok(!before || after);
        assert.ok(!authorize({ roles: BUILTIN_ROLES, grants: [] }, principal, verb, where).allowed);
      },
    ),
  );
});
