import { ShopError } from './errors.js';

/** Orders that are settled with the bank in one go. */
export const BATCH = 16;
/** At most 2 * BATCH orders are open, and there is room for 123. */
const BUCKETS = 41;
const PLACES = 3;

/**
 * Stock that is sold but not yet settled, in a table of fixed size: an order lives in the bucket that its number hashes to.
 * `settle` is told the oldest order numbers, `BATCH` at a time, once twice as many are open; the warehouse replaces what a
 * settled order took.
 */
export function createReservations({ byId, settle, status }) {
  const table = Array.from({ length: BUCKETS }, () => new Array(PLACES).fill(null));
  const order = [];
  const reserved = new Map();
  const move = (lines, sign) => {
    for (const { productId, quantity } of lines) {
      reserved.set(productId, (reserved.get(productId) ?? 0) + sign * quantity);
    }
  };
  const available = (productId) => byId.get(productId).stock - (reserved.get(productId) ?? 0);
  const release = (number) => {
    const bucket = table[hash(number) % BUCKETS];
    const place = bucket.findIndex((entry) => entry?.number === number);
    if (place < 0) return;
    move(bucket[place].lines, -1);
    bucket[place] = null;
    order.splice(order.indexOf(number), 1);
  };
  return {
    available,
    /** Throws 409 when a product has not enough left; then nothing is reserved. */
    async reserve(number, lines) {
      for (const { productId, quantity } of lines) {
        if (quantity > available(productId)) throw new ShopError(409, `${productId} is sold out`);
      }
      const bucket = table[hash(number) % BUCKETS];
      const others = bucket.filter((entry) => entry !== null);
      // Often another order of a busy bucket has been settled meanwhile, and its place is free.
      if (others.length === PLACES - 1 && (await status(others[0].number)) === 'settled')
        release(others[0].number);
      const place = bucket.indexOf(null);
      if (place < 0) throw new Error(`no place left for reservation ${number}`);
      bucket[place] = { number, lines };
      order.push(number);
      move(lines, 1);
      if (order.length < 2 * BATCH) return;
      const oldest = order.slice(0, BATCH);
      for (const settled of oldest) release(settled);
      await settle(oldest);
    },
    /** Gives the pieces of an order back that did not come about. */
    release,
    size: () => order.length,
  };
}

/** FNV-1a, 32 bits. */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
