import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Forges whose webhooks are understood. Forgejo signs as Gitea does. */
export const FORGES = ['github', 'gitlab', 'gitea', 'forgejo'] as const;
export type Forge = (typeof FORGES)[number];

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** How far a signed time may be from ours. */
const TOLERANCE_MS = 5 * 60_000;

/**
 * Does the request come from a forge that knows the secret? Every comparison takes the same time whatever differs.
 * GitHub: `X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>`. Gitea and Forgejo: the hex alone, in
 * `X-Gitea-Signature` or `X-Forgejo-Signature`. GitLab: `webhook-signature` in the form of Standard Webhooks (over id, time
 * and body) when it is there, and only then the secret itself in `X-Gitlab-Token`.
 */
export function isSigned(
  forge: Forge,
  secret: string,
  headers: Headers,
  body: Uint8Array,
  nowMs: number,
): boolean {
  switch (forge) {
    case 'github':
      return same(one(headers, 'x-hub-signature-256'), `sha256=${hmacHex(secret, body)}`);
    case 'gitea':
    case 'forgejo':
      return same(
        one(headers, 'x-forgejo-signature') ?? one(headers, 'x-gitea-signature'),
        hmacHex(secret, body),
      );
    case 'gitlab':
      return headers['webhook-signature'] === undefined
        ? same(one(headers, 'x-gitlab-token'), secret)
        : isStandardSigned(secret, headers, body, nowMs);
  }
}

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function isStandardSigned(secret: string, headers: Headers, body: Uint8Array, nowMs: number): boolean {
  const id = one(headers, 'webhook-id');
  const time = one(headers, 'webhook-timestamp');
  const given = one(headers, 'webhook-signature');
  if (!id || !given || !time || !/^\d{1,12}$/.test(time)) return false;
  if (Math.abs(Number(time) * 1000 - nowMs) > TOLERANCE_MS) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = `v1,${createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64')}`;
  // While a secret is rotated there are several, separated by spaces.
  return given
    .split(' ', 10)
    .map((signature) => same(signature, expected))
    .includes(true);
}

/** What the forge calls this delivery, so that a repeated one is known; without a name, the hash of the body. */
export function deliveryOf(forge: Forge, headers: Headers, body: Uint8Array): string {
  const names = {
    github: ['x-github-delivery'],
    gitlab: ['webhook-id', 'idempotency-key', 'x-gitlab-webhook-uuid', 'x-gitlab-event-uuid'],
    gitea: ['x-gitea-delivery'],
    forgejo: ['x-forgejo-delivery', 'x-gitea-delivery'],
  }[forge];
  const id = names.map((name) => one(headers, name)).find((value) => value !== undefined && value !== '');
  const usable = id !== undefined && /^[\x21-\x7e]{1,200}$/.test(id);
  return usable ? id : createHash('sha256').update(body).digest('hex');
}

function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function hmacHex(secret: string, body: Uint8Array): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/** Compares hashes, which have one length, so that not even the length of the secret shows. */
function same(given: string | undefined, expected: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given ?? ''), hash(expected)) && given !== undefined;
}
