import type { OrderRepublishFilter } from '@orders/contracts/operate/republish';
import { createRepublish, type OrderWithEvents } from '@orders/platform/operate/republish';
import {
  createRepublishStore,
  type RepublishTable,
} from '@orders/platform/operate/republish-store';
import type { Database } from '@orders/platform/postgres/database';
import type { Static } from 'typebox';
import { cancellationRequested, orderCreated } from '../order-events.ts';

const table: RepublishTable = {
  name: 'orders',
  stateColumn: 'status',
  indexedStates: ['Pending', 'Retrying', 'Failed', 'Cancelled'],
  indexCondition: 'attention = $4',
};

/** Republishing of `order-events`, made again from the orders' rows. */
export function createOrderRepublish(database: Database) {
  const readOrders = async (orderIds: string[]): Promise<OrderWithEvents[]> =>
    (await database.query<OrderRow>(readStatement, [orderIds])).map(withEvents);
  const store = createRepublishStore(database, table);
  return createRepublish<Static<typeof OrderRepublishFilter>>({
    store,
    stateOf: ({ status }) => status,
    readOrders,
  });
}

type OrderRow = {
  orderId: string;
  status: string;
  customerId: string;
  customerName: string;
  currency: string | null;
  itemsJson: string;
  correlationId: string | null;
  cancelRequestedAt: Date | null;
  cancelReason: string | null;
};

function withEvents(row: OrderRow): OrderWithEvents {
  const { orderId, status, correlationId, cancelRequestedAt, cancelReason: reason } = row;
  const trace = { correlationId, traceparent: null };
  const events = [orderCreated({ ...row, ...trace })];
  if (cancelRequestedAt !== null) {
    const request = { orderId, reason, requestedAt: cancelRequestedAt };
    events.push(cancellationRequested({ ...request, ...trace }));
  }
  return { orderId, state: status, events };
}

const readStatement = {
  name: 'republish-read-orders',
  text: `
    SELECT order_id AS "orderId", status, customer_id AS "customerId",
      customer_name AS "customerName", currency, items::text AS "itemsJson",
      correlation_id AS "correlationId", cancel_requested_at AS "cancelRequestedAt",
      cancel_reason AS "cancelReason"
    FROM orders
    WHERE order_id = ANY ($1::uuid[])
    ORDER BY order_id`,
};
