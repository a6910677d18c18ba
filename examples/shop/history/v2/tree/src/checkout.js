import { nanoid } from 'nanoid';
import { totalCents } from './cart.js';
import { ShopError } from './errors.js';

/** Sells a cart: reserves the stock, takes the payment, gives the order. */
export function createCheckout({
  byId,
  payments,
  reservations,
  now = () => new Date(),
  newNumber = () => nanoid(12),
}) {
  return async (cart) => {
    if (cart.lines.length === 0) throw new ShopError(422, 'the cart is empty');
    const number = newNumber();
    const amountCents = totalCents(cart, byId);
    await reservations.reserve(number, cart.lines);
    const { approved } = await payments.authorize(number, amountCents).catch((error) => {
      reservations.release(number);
      throw error;
    });
    if (!approved) {
      reservations.release(number);
      throw new ShopError(402, 'the payment was declined');
    }
    return { number, at: now().toISOString(), lines: cart.lines, totalCents: amountCents };
  };
}
