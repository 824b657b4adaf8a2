import type { Database } from '@orders/platform/postgres/database';
import { noteChanges } from '../change-log.ts';

/** What an order shows while its OrderCreated event cannot be published. */
export function createPublishFailedStore(database: Database) {
  return {
    /** Created orders whose event could not be published become Pending. */
    async markPending(orderIds: string[]): Promise<void> {
      await database.query(markPendingStatement, [orderIds]);
    },
    /** The events of these orders are published again; the status stays. */
    async clearPublishFailed(orderIds: string[]): Promise<void> {
      await database.query(clearPublishFailedStatement, [orderIds]);
    },
  };
}

export type PublishFailedStore = ReturnType<typeof createPublishFailedStore>;

const markPendingStatement = {
  name: 'order-mark-pending',
  text: `
    WITH changed AS (
      UPDATE orders
      SET status = 'Pending',
          publish_failed = true,
          attention = 'Pending',
          updated_at = greatest(now(), updated_at)
      WHERE order_id = ANY ($1::uuid[]) AND status = 'Created' RETURNING order_id)
    ${noteChanges('changed')}`,
};

const clearPublishFailedStatement = {
  name: 'order-clear-publish-failed',
  text: `
    WITH changed AS (
      UPDATE orders SET publish_failed = false, updated_at = greatest(now(), updated_at)
      WHERE order_id = ANY ($1::uuid[]) AND publish_failed RETURNING order_id)
    ${noteChanges('changed')}`,
};
