import { SlipwayError } from '../../kernel/errors.ts';
import type { Clock } from '../clock.ts';
import { failureOf } from './failure.ts';
import { type Answer, drop, type OutgoingRequest, readAnswer, type Transport } from './transport.ts';

const TOKEN_BYTES_MAX = 64 * 1024;
/** Of a token whose service does not say (the Docker specification's figure). */
const TOKEN_LIFETIME_S = 60;
const TOKEN_MARGIN_MS = 10_000;
const TOKENS_MAX = 1_000;

export interface Credentials {
  username: string;
  password: string;
}

export interface AuthorizeOptions {
  registry: URL;
  credentials: Credentials | null;
  clock: Clock;
  /** Hosts of token services that may see the credentials, beyond the registry's own and those above it. */
  tokenHosts: readonly string[];
}

type Scheme =
  | { kind: 'unknown' }
  | { kind: 'basic' }
  | { kind: 'bearer'; realm: URL; service: string | undefined };

/** Sends a request for which the registry may want to know who asks; `scope` is that of the Docker token service. */
export type AuthorizedTransport = (request: OutgoingRequest, scope: string) => Promise<Answer>;

/** Wraps a transport: answers a 401 as its challenge asks, once, and remembers for the next requests. */
export function authorizing(send: Transport, options: AuthorizeOptions): AuthorizedTransport {
  const { credentials, clock } = options;
  const tokens = new Map<string, { token: string; untilMs: number }>();
  let scheme: Scheme = { kind: 'unknown' };

  const basic = () =>
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;

  async function authorization(scope: string): Promise<string | null> {
    if (scheme.kind === 'basic') return basic();
    if (scheme.kind === 'unknown') return null;
    const known = tokens.get(scope);
    if (known && known.untilMs > clock.nowMs()) return `Bearer ${known.token}`;
    const fetched = await fetchToken(scheme.realm, scheme.service, scope);
    if (tokens.size >= TOKENS_MAX) tokens.clear();
    tokens.set(scope, fetched);
    return `Bearer ${fetched.token}`;
  }

  async function fetchToken(realm: URL, service: string | undefined, scope: string) {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', scope);
    const authorizationHeader = basic();
    const answer = await send({
      method: 'GET',
      url,
      headers: authorizationHeader ? { Authorization: authorizationHeader } : {},
    });
    if (answer.status !== 200) throw await failureOf(answer, 'give a token');
    const body = JSON.parse((await readAnswer(answer, TOKEN_BYTES_MAX)).toString('utf8')) as Record<
      string,
      unknown
    >;
    const token = body.token ?? body.access_token;
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      throw new SlipwayError('forbidden', `the token service ${url.host} gave no token`);
    }
    const seconds = typeof body.expires_in === 'number' ? body.expires_in : TOKEN_LIFETIME_S;
    return { token, untilMs: clock.nowMs() + Math.max(0, seconds * 1000 - TOKEN_MARGIN_MS) };
  }

  return async (request, scope) => {
    const attempt = async () => {
      const header = await authorization(scope);
      return send(
        header === null ? request : { ...request, headers: { ...request.headers, Authorization: header } },
      );
    };
    const answer = await attempt();
    if (answer.status !== 401) return answer;
    const next = parseChallenge(String(answer.headers['www-authenticate'] ?? ''), options);
    if (next.kind === 'unknown' || (next.kind === 'basic' && !credentials)) return answer;
    drop(answer);
    scheme = next;
    tokens.delete(scope);
    return attempt();
  };
}

/** Reads `WWW-Authenticate`; refuses a token service that must not see the credentials. */
function parseChallenge(header: string, options: AuthorizeOptions): Scheme {
  const kind = /^\s*(\w+)/.exec(header)?.[1]?.toLowerCase();
  if (kind === 'basic') return { kind: 'basic' };
  if (kind !== 'bearer') return { kind: 'unknown' };
  const parameters = new Map<string, string>();
  for (const [, name, value] of header.matchAll(/(\w+)="([^"]*)"/g))
    parameters.set(name!.toLowerCase(), value!);
  const text = parameters.get('realm') ?? '';
  const realm = URL.canParse(text) ? new URL(text) : null;
  if (!realm || !mayAsk(realm, options)) {
    throw new SlipwayError(
      'forbidden',
      `the registry ${options.registry.host} names ${realm?.host ?? 'no'} token service`,
      {
        hint: `Credentials go to the registry's own host and those above it only; add the host to tokenHosts if it is right.`,
      },
    );
  }
  return { kind: 'bearer', realm, service: parameters.get('service') };
}

function mayAsk(realm: URL, { registry, tokenHosts }: AuthorizeOptions): boolean {
  if (realm.protocol !== 'https:' && realm.protocol !== registry.protocol) return false;
  const [own, host] = [registry.hostname, realm.hostname];
  const above = host.includes('.') && own.endsWith(`.${host}`);
  return host === own || above || tokenHosts.includes(host);
}
