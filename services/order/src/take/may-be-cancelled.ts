import type { OrderStatus } from '@orders/contracts/orders/api';
import { finalStatusesSql, isFinal } from '../order-status.ts';

/**
 * Whether the cancellation of an order with this status may still be requested: until the status is
 * final. The Fulfillment Service then decides whether it comes in time.
 */
export const mayBeCancelled = (status: OrderStatus): boolean => !isFinal(status);

/** The same rule as a condition on a row of `orders`. */
export const mayBeCancelledSql = `status NOT IN (${finalStatusesSql})`;
