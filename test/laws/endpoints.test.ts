import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { VERBS } from '../../src/platform/http/route.ts';
import { type Answer, type Product, startProduct } from './product.ts';

/** Endpoints anyone on the network may call, and why. Nothing else answers without a token. */
const OPEN: Readonly<Record<string, string>> = {
  'GET /v1/health': 'says nothing but that the server works',
  'GET /v1/me': 'authenticates by itself, so that a token with a single grant may ask; 401 without a token',
  'POST /v1/hooks/:forge/:service': 'carries a signature of its own over the body; 401 without it',
  'POST /v1/session': 'trades a token for the cookie; the token is in the body; 401 without a valid one',
  'POST /v1/session/end': 'forgets the cookie of whoever asks',
};

/** What is mounted beside the list of endpoints, and what guards it. */
const BESIDE: Readonly<Record<string, string>> = {
  'GET /v1/openapi.json': 'the description of the API, the same for everyone',
};

const PARAMS: Readonly<Record<string, string>> = {
  service: 'shop',
  environment: 'prod',
  forge: 'github',
  digest: `sha256:${'0'.repeat(64)}`,
  '*': '0/000',
};

describe('endpoints', () => {
  let product: Product;
  let viewer: Readonly<Record<string, string>>;
  before(async () => {
    product = await startProduct();
    viewer = { authorization: `Bearer ${await product.token('viewer')}` };
  });
  after(() => product.close());

  const urlOf = (path: string) =>
    path.replace(/:([A-Za-z]+)|\*/g, (found, name) => PARAMS[name ?? found] ?? 'x1');
  const bodyOf = (method: string) => (method === 'GET' || method === 'DELETE' ? {} : { body: '{}' });
  const name = (route: { method: string; path: string }) => `${route.method} ${route.path}`;
  const codeOf = (answer: Answer) => (JSON.parse(answer.text) as { code: string }).code;

  test('every endpoint says who may call it, with a verb that exists', () => {
    for (const route of product.routes)
      assert.ok(
        route.access === 'open' || VERBS.includes(route.access.verb),
        `${name(route)} has no access that exists`,
      );
    assert.deepEqual(
      product.routes
        .filter((route) => route.access === 'open')
        .map(name)
        .sort(),
      Object.keys(OPEN).sort(),
    );
  });

  test('names are unique, and no endpoint hides behind another', () => {
    const ids = product.routes.map((route) => route.operationId);
    const places = product.routes.map((route) => name(route).replaceAll(/:[A-Za-z]+/g, ':'));
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(new Set(places).size, places.length);
  });

  test('writes are writes: what reads changes nothing by its method', () => {
    // Reads by POST: they take a document that does not fit into an address.
    const asking = [
      'POST /v1/ledger/verify',
      'POST /v1/platform/validate',
      'POST /v1/policies/dry-run',
      'POST /v1/policies/test',
    ];
    const reading = product.routes
      .filter((route) => route.method !== 'GET' && route.access !== 'open' && route.access.verb === 'read')
      .map(name);
    assert.deepEqual(reading.sort(), asking);
  });

  test('nothing is mounted that the list of endpoints does not have', () => {
    const known = new Set([...product.routes.map(name), ...Object.keys(BESIDE)]);
    const api = product.mounted.filter(({ path }) => path.startsWith('/v1'));
    assert.ok(api.length >= product.routes.length, 'the tree was read');
    const unknown = api
      .map(({ method, path }) => `${method === 'HEAD' ? 'GET' : method} ${path}`)
      .filter((place) => !known.has(place));
    assert.deepEqual(unknown, []);
    const pages = product.mounted.filter(({ path }) => !/^\/v[12]/.test(path));
    assert.deepEqual(
      pages.filter(({ method }) => method !== 'GET' && method !== 'HEAD'),
      [],
      'the web UI takes no writes',
    );
  });

  test('without a token every endpoint answers 401, whatever else is wrong with the call', async () => {
    for (const route of product.routes) {
      if (route.access === 'open') continue;
      const answer = await product.call(route.method, urlOf(route.path), bodyOf(route.method));
      assert.equal(answer.status, 401, name(route));
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="slipway"', name(route));
      if (route.method !== 'GET') continue;
      const head = await product.call('HEAD', urlOf(route.path));
      assert.equal(head.status, 401, `HEAD ${route.path}`);
    }
  });

  test('open endpoints that need a proof of their own ask for it', async () => {
    for (const route of ['GET /v1/me', 'POST /v1/session', 'POST /v1/hooks/:forge/:service']) {
      const [method = '', path = ''] = route.split(' ');
      const body = method === 'GET' ? {} : { body: JSON.stringify({ token: 'slp_x' }) };
      const answer = await product.call(method, urlOf(path), body);
      assert.ok([401, 404].includes(answer.status), `${route} answered ${answer.status}`);
    }
  });

  test('tokens that are none do not open anything', async () => {
    for (const authorization of ['Bearer slp_x', 'Basic Og==', 'Bearer', 'Negotiate x', ''])
      assert.equal((await product.call('GET', '/v1/services', { headers: { authorization } })).status, 401);
    for (const cookie of ['slipway_session=slp_x', 'slipway_session='])
      assert.equal((await product.call('GET', '/v1/services', { headers: { cookie } })).status, 401);
  });

  test('a viewer may read and nothing else', async () => {
    for (const route of product.routes) {
      if (route.access === 'open') continue;
      const answer = await product.call(route.method, urlOf(route.path), {
        ...bodyOf(route.method),
        headers: viewer,
      });
      if (route.access.verb === 'read')
        assert.ok(![401, 403].includes(answer.status), `${name(route)} answered ${answer.status}`);
      else {
        assert.equal(answer.status, 403, name(route));
        assert.equal(codeOf(answer), 'forbidden', name(route));
      }
    }
  });

  test('a token without a role may not even read', async () => {
    const headers = { authorization: `Bearer ${await product.token('nobody')}` };
    for (const route of product.routes) {
      if (route.access === 'open') continue;
      const answer = await product.call(route.method, urlOf(route.path), {
        ...bodyOf(route.method),
        headers,
      });
      assert.equal(answer.status, 403, name(route));
    }
  });

  test('a foreign Host or Origin is refused everywhere, with the best of tokens too', async () => {
    const admin = { authorization: `Bearer ${await product.token('admin')}` };
    const others = ['/', '/login', '/v2/', '/v2/shop/tags/list', '/v1/openapi.json', '/no/such/thing'];
    const calls = [
      ...product.routes.map((route) => ({ method: route.method, path: urlOf(route.path) })),
      ...others.map((path) => ({ method: 'GET', path })),
    ];
    const hostile = [
      { host: 'evil.example' },
      { host: '127.0.0.1.evil.example' },
      { host: 'localhost@evil.example' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ];
    for (const { method, path } of calls)
      for (const headers of hostile) {
        const answer = await product.call(method, path, {
          ...bodyOf(method),
          headers: { ...admin, ...headers },
        });
        assert.equal(answer.status, 403, `${method} ${path} with ${JSON.stringify(headers)}`);
      }
  });

  test('the registry lets nobody in without a credential, and a viewer pull only', async () => {
    const anonymous = [
      ['GET', '/v2/'],
      ['GET', '/v2/shop/tags/list'],
      ['GET', '/v2/shop/manifests/latest'],
      ['HEAD', `/v2/shop/blobs/${PARAMS.digest}`],
      ['POST', '/v2/shop/blobs/uploads/'],
      ['PUT', '/v2/shop/manifests/latest'],
      ['DELETE', '/v2/shop/manifests/latest'],
      ['GET', `/v2/shop/referrers/${PARAMS.digest}`],
    ] as const;
    for (const [method, path] of anonymous)
      assert.equal((await product.call(method, path)).status, 401, `${method} ${path}`);
    for (const [method, path] of anonymous.filter(([method]) => !['GET', 'HEAD'].includes(method)))
      assert.equal(
        (await product.call(method, path, { headers: viewer })).status,
        403,
        `${method} ${path} as viewer`,
      );
  });

  test('every answer carries the headers that keep a browser safe', async () => {
    // The registry answers with JSON and octets alone, which no browser takes for a page.
    const registry = await product.call('GET', '/v2/');
    assert.equal(registry.headers['x-content-type-options'], 'nosniff');
    assert.match(String(registry.headers['content-type']), /^application\/json/);
    for (const path of ['/', '/v1/health', '/v1/services', '/no/such/thing']) {
      const { headers } = await product.call('GET', path);
      const policy = String(headers['content-security-policy']);
      assert.match(policy, /default-src 'none'/, path);
      assert.doesNotMatch(policy, /script-src[^;]*unsafe/, path);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['access-control-allow-origin'], undefined, path);
    }
  });
});
