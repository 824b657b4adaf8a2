import type { NewOrder } from '@orders/contracts/orders/api';
import { anOrder } from '../kit/orders.ts';

const [count, firstAt, every] = [10, 10, 15];

/** 0.4 MB of UTF-8, the most that an order can hold: 1,000 items with the longest product ids. */
const largeOrder: NewOrder = anOrder({
  items: Array.from({ length: 1_000 }, (_, n) => ({
    productId: `${n}`.padEnd(128, '漢'),
    quantity: 1,
  })),
});

/** The orders of a round, ten of them large, spread over its beginning. */
export const withLargeOrders = (orders: readonly NewOrder[]): NewOrder[] =>
  orders.map((order, n) => {
    const isLarge = n >= firstAt && (n - firstAt) % every === 0 && n < firstAt + count * every;
    return isLarge ? largeOrder : order;
  });
