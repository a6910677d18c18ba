import { ShopError } from './errors.js';

/** Bounds of one cart. */
export const LINES = 20;
export const QUANTITY = 10;

/** The cart with `quantity` more of a product; the sum of one line stays within `QUANTITY`. */
export function addToCart(cart, productId, quantity, byId) {
  if (!byId.has(productId)) throw new ShopError(404, 'there is no such product');
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > QUANTITY) {
    throw new ShopError(422, `quantity must be a whole number from 1 to ${QUANTITY}`);
  }
  const lines = new Map(cart.lines.map((line) => [line.productId, line.quantity]));
  const sum = (lines.get(productId) ?? 0) + quantity;
  if (sum > QUANTITY) throw new ShopError(422, `at most ${QUANTITY} of one product`);
  lines.set(productId, sum);
  if (lines.size > LINES) throw new ShopError(422, `at most ${LINES} different products`);
  return { lines: [...lines].map(([id, count]) => ({ productId: id, quantity: count })) };
}

export function totalCents(cart, byId) {
  return cart.lines.reduce(
    (sum, line) => sum + (byId.get(line.productId)?.priceCents ?? 0) * line.quantity,
    0,
  );
}
