/** One request that a visitor of the shop makes. */
export interface Visit {
  /** The route, as the figures name it. */
  endpoint: string;
  method: 'GET' | 'POST';
  path: string;
  body: string | null;
  /** The answer's body is wanted: a cart or an order to go on with. */
  keep: boolean;
}

/** Share of each request, in percent; checkouts are one in five. */
const MIX = [
  ['GET /', 14],
  ['GET /products', 12],
  ['GET /products/:id', 18],
  ['GET /search', 18],
  ['POST /cart', 14],
  ['POST /checkout', 20],
  ['GET /orders/:id', 4],
] as const;

type Endpoint = (typeof MIX)[number][0];

const WORDS =
  'oak table|velvet cushion|blanket|stone bowl|lamp|linen towel|copper kettle|mug|winter scarf|brass hook'.split(
    '|',
  );
/** One search in twenty is misspelt; the shop works harder on those. */
const MISSPELT = 'velevt cushoin|blankte|coper ketle|stoen bwol'.split('|');
const PRODUCTS = 900;
const LINES = 4;
const KEPT = 64;

export interface Visitors {
  next(): Visit;
  /** Takes in an answer that a visit asked to keep. */
  learn(endpoint: string, body: string): void;
}

/** The visits of many visitors, interleaved; the same for the same `random` (uniform in [0, 1)) and answers. */
export function createVisitors(random: () => number): Visitors {
  const carts: { token: string; lines: number }[] = [];
  const orders: string[] = [];
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const product = () => `p-${String(1 + Math.floor(random() * PRODUCTS)).padStart(4, '0')}`;
  const addToCart = (): Visit => {
    const cart = carts.length > 0 && random() < 0.5 ? pick(carts) : undefined;
    const body = { productId: product(), quantity: 1 + Math.floor(random() * 3) };
    const token = cart !== undefined && cart.lines < LINES ? { cart: cart.token } : {};
    return {
      endpoint: 'POST /cart',
      method: 'POST',
      path: '/cart',
      body: JSON.stringify({ ...token, ...body }),
      keep: true,
    };
  };
  const get = (endpoint: Endpoint, path: string): Visit => ({
    endpoint,
    method: 'GET',
    path,
    body: null,
    keep: false,
  });
  const visits: Record<Endpoint, () => Visit> = {
    'GET /': () => get('GET /', '/'),
    'GET /products': () => get('GET /products', `/products?page=${1 + Math.floor(random() * 30)}`),
    'GET /products/:id': () => get('GET /products/:id', `/products/${product()}`),
    'GET /search': () =>
      get('GET /search', `/search?q=${encodeURIComponent(pick(random() < 0.05 ? MISSPELT : WORDS))}`),
    'POST /cart': addToCart,
    'POST /checkout': () => {
      if (carts.length === 0) return addToCart();
      const body = JSON.stringify({ cart: pick(carts).token });
      return { endpoint: 'POST /checkout', method: 'POST', path: '/checkout', body, keep: true };
    },
    'GET /orders/:id': () =>
      orders.length === 0 ? visits['GET /']() : get('GET /orders/:id', `/orders/${pick(orders)}`),
  };
  return {
    next() {
      let at = random() * 100;
      for (const [endpoint, share] of MIX) {
        at -= share;
        if (at < 0) return visits[endpoint]();
      }
      return visits['GET /']();
    },
    learn(endpoint, body) {
      const answer = JSON.parse(body) as { cart?: string; lines?: unknown[]; id?: string };
      if (endpoint === 'POST /cart' && answer.cart)
        keep(carts, { token: answer.cart, lines: answer.lines?.length ?? 0 });
      if (endpoint === 'POST /checkout' && answer.id) keep(orders, answer.id);
    },
  };
}

function keep<Item>(items: Item[], item: Item): void {
  items.push(item);
  if (items.length > KEPT) items.shift();
}

/** mulberry32: 32 bits of state, uniform in [0, 1), the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
