import { nanoid } from 'nanoid';
import { totalCents } from './cart.js';
import { ShopError } from './errors.js';

/** Sells a cart: takes the payment and gives the order. */
export function createCheckout({ byId, payments, now = () => new Date(), newNumber = () => nanoid(12) }) {
  return async (cart) => {
    if (cart.lines.length === 0) throw new ShopError(422, 'the cart is empty');
    const number = newNumber();
    const amountCents = totalCents(cart, byId);
    const { approved } = await payments.authorize(number, amountCents);
    if (!approved) throw new ShopError(402, 'the payment was declined');
    return { number, at: now().toISOString(), lines: cart.lines, totalCents: amountCents };
  };
}
