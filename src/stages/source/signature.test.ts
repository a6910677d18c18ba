import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { deliveryOf, FORGES, type Headers, isSigned } from './signature.ts';

const NOW = 1_614_265_330_000;
const text = (value: string) => Buffer.from(value);

test("GitHub's own example verifies, any change does not", () => {
  // docs.github.com, "Validating webhook deliveries", testing the webhook payload validation.
  const secret = "It's a Secret to Everybody";
  const header = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const signed = { 'x-hub-signature-256': header };
  assert.ok(isSigned('github', secret, signed, text('Hello, World!'), NOW));
  assert.ok(!isSigned('github', secret, signed, text('Hello, World?'), NOW));
  assert.ok(!isSigned('github', 'another', signed, text('Hello, World!'), NOW));
  assert.ok(!isSigned('github', secret, { 'x-hub-signature': header }, text('Hello, World!'), NOW));
  assert.ok(
    !isSigned('github', secret, { 'x-hub-signature-256': header.slice(7) }, text('Hello, World!'), NOW),
  );
  assert.ok(
    !isSigned('github', secret, { 'x-hub-signature-256': [header, header] }, text('Hello, World!'), NOW),
  );
  assert.ok(!isSigned('github', secret, {}, text('Hello, World!'), NOW));
});

test('Gitea and Forgejo sign with the bare hex', () => {
  const hex = createHmac('sha256', 'secret').update('{"a":1}').digest('hex');
  assert.ok(isSigned('gitea', 'secret', { 'x-gitea-signature': hex }, text('{"a":1}'), NOW));
  assert.ok(isSigned('forgejo', 'secret', { 'x-forgejo-signature': hex }, text('{"a":1}'), NOW));
  const rescued = { 'x-forgejo-signature': 'bad', 'x-gitea-signature': hex };
  assert.ok(
    !isSigned('forgejo', 'secret', rescued, text('{"a":1}'), NOW),
    'a good header does not rescue a bad one',
  );
  assert.ok(!isSigned('gitea', 'secret', { 'x-gitea-signature': `sha256=${hex}` }, text('{"a":1}'), NOW));
});

test('GitLab: the token, or the signature of Standard Webhooks, which must then hold', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const body = text('{"object_kind":"push"}');
  assert.ok(isSigned('gitlab', secret, { 'x-gitlab-token': secret }, body, NOW));
  assert.ok(!isSigned('gitlab', secret, { 'x-gitlab-token': `${secret} ` }, body, NOW));
  assert.ok(!isSigned('gitlab', secret, {}, body, NOW));
  const time = String(NOW / 1000);
  const mac = createHmac('sha256', Buffer.alloc(32, 7))
    .update(`msg_1.${time}.`)
    .update(body)
    .digest('base64');
  const signed: Headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': time,
    'webhook-signature': `v1,${mac}`,
  };
  assert.ok(isSigned('gitlab', secret, signed, body, NOW));
  assert.ok(
    isSigned('gitlab', secret, { ...signed, 'webhook-signature': `v1,AAAA v1,${mac}` }, body, NOW),
    'rotation',
  );
  assert.ok(!isSigned('gitlab', secret, signed, body, NOW + 301_000), 'replayed later');
  assert.ok(!isSigned('gitlab', secret, signed, body, NOW - 301_000), 'from the future');
  assert.ok(!isSigned('gitlab', secret, { ...signed, 'webhook-id': 'msg_2' }, body, NOW));
  const rescued = { ...signed, 'webhook-signature': 'v1,AAAA', 'x-gitlab-token': secret };
  assert.ok(!isSigned('gitlab', secret, rescued, body, NOW), 'the token does not rescue a bad signature');
});

test('the example of the Standard Webhooks specification verifies', () => {
  const headers = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  assert.ok(isSigned('gitlab', secret, headers, text('{"test": 2432232314}'), NOW));
});

test('a delivery has the name its forge gave it, or the hash of its body', () => {
  assert.equal(deliveryOf('github', { 'x-github-delivery': 'abc-1' }, text('x')), 'abc-1');
  assert.equal(deliveryOf('gitlab', { 'webhook-id': 'w', 'x-gitlab-event-uuid': 'e' }, text('x')), 'w');
  assert.match(deliveryOf('gitea', {}, text('x')), /^[0-9a-f]{64}$/);
  assert.match(deliveryOf('gitea', { 'x-gitea-delivery': 'a'.repeat(201) }, text('x')), /^[0-9a-f]{64}$/);
  assert.match(deliveryOf('github', { 'x-github-delivery': 'a\nb' }, text('x')), /^[0-9a-f]{64}$/);
});

test('law: nothing made without the secret verifies', () => {
  const names = [
    'x-hub-signature-256',
    'x-gitlab-token',
    'x-gitea-signature',
    'webhook-signature',
    'webhook-id',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...FORGES),
      fc.dictionary(fc.constantFrom(...names), fc.string()),
      fc.uint8Array(),
      (forge, headers, body) => !isSigned(forge, 'whsec_c2VjcmV0IG9mIHRoZSB0ZXN0', headers, body, NOW),
    ),
  );
});
