import type { OrderStatus } from '@orders/contracts/orders/api';

/**
 * How far on its way an order with this status is; it never goes back, except that an operator
 * retries what Failed.
 */
const progress: Record<OrderStatus, number> = {
  Created: 0,
  Pending: 1,
  Processing: 2,
  Retrying: 3,
  Shipped: 4,
  Failed: 4,
  Cancelled: 4,
};

/** Only an operator's retry of a failed order leads out of one of these. */
const finalStatuses: readonly OrderStatus[] = ['Shipped', 'Failed', 'Cancelled'];

export const isFinal = (status: OrderStatus): boolean => finalStatuses.includes(status);

/** The final statuses as a list of SQL literals, for `status IN (…)`. */
export const finalStatusesSql = finalStatuses.map((status) => `'${status}'`).join(', ');

/** Whether an order with this status has the wanted one, or can no longer reach it. */
export const hasReached = (status: OrderStatus, wanted: OrderStatus): boolean =>
  progress[status] >= progress[wanted];
