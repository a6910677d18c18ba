import { addToCart, totalCents } from './cart.js';
import { ShopError } from './errors.js';
import { readJson, sendJson, sendText } from './http.js';
import { frontPage } from './page.js';

const PAGE = 30;
const PAGES = 1_000;

/** The routes of the shop. A handler answers through the helpers of http.js or throws. */
export function createRoutes({
  catalogue,
  search,
  checkout,
  reservations,
  seal,
  version,
  now = () => new Date(),
}) {
  const { products, byId } = catalogue;
  return [
    {
      method: 'GET',
      path: '/',
      handle: (_, response) => {
        const day = Math.floor(now().getTime() / 86_400_000);
        sendText(response, 200, 'text/html; charset=utf-8', frontPage(products, day, version));
      },
    },
    {
      method: 'GET',
      path: '/products',
      handle: (_, response, { query }) => {
        const page = Number(query.get('page') ?? 1);
        if (!Number.isInteger(page) || page < 1 || page > PAGES)
          throw new ShopError(422, 'page must be a whole number from 1');
        const shown = products.slice((page - 1) * PAGE, page * PAGE);
        sendJson(response, 200, { page, pages: Math.ceil(products.length / PAGE), products: shown });
      },
    },
    {
      method: 'GET',
      path: '/products/:id',
      handle: (_, response, { id }) => {
        const product = byId.get(id);
        if (product === undefined) throw new ShopError(404, 'there is no such product');
        sendJson(response, 200, { ...product, available: reservations.available(id) });
      },
    },
    {
      method: 'GET',
      path: '/search',
      handle: (_, response, { query }) => {
        const text = query.get('q') ?? '';
        sendJson(response, 200, { query: text, results: search(text) });
      },
    },
    {
      method: 'POST',
      path: '/cart',
      handle: async (request, response) => {
        const body = await readJson(request);
        const cart = body.cart === undefined ? { lines: [] } : seal.open('cart', body.cart);
        if (cart === null) throw new ShopError(422, 'this is not one of our carts');
        const next = addToCart(cart, body.productId, body.quantity ?? 1, byId);
        sendJson(response, 201, {
          cart: seal.seal('cart', next),
          lines: next.lines,
          totalCents: totalCents(next, byId),
        });
      },
    },
    {
      method: 'POST',
      path: '/checkout',
      handle: async (request, response) => {
        const body = await readJson(request);
        const cart = seal.open('cart', body.cart);
        if (cart === null) throw new ShopError(422, 'this is not one of our carts');
        const order = await checkout(cart);
        sendJson(response, 201, { id: seal.seal('order', order), ...order });
      },
    },
    {
      method: 'GET',
      path: '/orders/:id',
      handle: (_, response, { id }) => {
        const order = seal.open('order', id);
        if (order === null) throw new ShopError(404, 'there is no such order');
        sendJson(response, 200, { id, ...order });
      },
    },
  ];
}
