import { ShopError } from './errors.js';

/** Orders that are settled with the bank in one go. */
export const BATCH = 16;

/**
 * Stock that is sold but not yet settled. `settle` is told the oldest order numbers, `BATCH` at a time, once twice as many
 * are open; the warehouse replaces what a settled order took.
 */
export function createReservations({ byId, settle }) {
  const open = new Map();
  const reserved = new Map();
  const move = (lines, sign) => {
    for (const { productId, quantity } of lines) {
      reserved.set(productId, (reserved.get(productId) ?? 0) + sign * quantity);
    }
  };
  const available = (productId) => byId.get(productId).stock - (reserved.get(productId) ?? 0);
  const release = (number) => {
    move(open.get(number) ?? [], -1);
    open.delete(number);
  };
  return {
    available,
    /** Throws 409 when a product has not enough left; then nothing is reserved. */
    async reserve(number, lines) {
      for (const { productId, quantity } of lines) {
        if (quantity > available(productId)) throw new ShopError(409, `${productId} is sold out`);
      }
      open.set(number, lines);
      move(lines, 1);
      if (open.size < 2 * BATCH) return;
      const oldest = [...open.keys()].slice(0, BATCH);
      for (const settled of oldest) release(settled);
      await settle(oldest);
    },
    /** Gives the pieces of an order back that did not come about. */
    release,
    size: () => open.size,
  };
}
