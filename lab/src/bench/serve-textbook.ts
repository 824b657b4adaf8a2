// Measured for comparison: the handler as textbooks show it, correct and durable, with one
// transaction per order.
import type { NewOrder } from '@orders/contracts/orders/api';
import { startEmbeddedPostgres } from '@orders/embedded/postgres/server';
import { createLog } from '@orders/platform/process/log';
import pg from 'pg';
import { createBareServer } from './bare-fastify.ts';
import { serve } from './serve.ts';

const schema = `
  CREATE TABLE orders (order_id uuid PRIMARY KEY, customer_id text NOT NULL, customer_name text NOT NULL, currency text,
                       items jsonb NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, key text NOT NULL, payload jsonb NOT NULL,
                       created_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz)`;
const insertOrder = `INSERT INTO orders (order_id, customer_id, customer_name, currency, items, status) VALUES ($1, $2, $3, $4, $5, 'Created')`;
const insertEvent = `INSERT INTO outbox (topic, key, payload) VALUES ('order-events', $1, $2)`;

await serve(async (dataDir) => {
  const log = createLog({ service: 'bench' });
  const postgres = await startEmbeddedPostgres({ dataDir, databases: ['orders'], log });
  const pool = new pg.Pool({ connectionString: postgres.url('orders'), max: 10 });
  await pool.query(schema);
  const app = createBareServer(async (order) => {
    const orderId = crypto.randomUUID();
    await placeInTransaction(pool, orderId, order);
    return { orderId, status: 'Created' };
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    async close() {
      await app.close();
      await pool.end();
      await postgres.close();
    },
  };
});

async function placeInTransaction(pool: pg.Pool, orderId: string, order: NewOrder): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const items = JSON.stringify(order.items);
    await client.query(insertOrder, [
      orderId,
      order.customerId,
      order.customerName,
      order.currency ?? null,
      items,
    ]);
    const event = {
      eventType: 'OrderCreated',
      eventId: crypto.randomUUID(),
      orderId,
      ...order,
      createdAt: new Date(),
    };
    await client.query(insertEvent, [orderId, JSON.stringify(event)]);
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}
