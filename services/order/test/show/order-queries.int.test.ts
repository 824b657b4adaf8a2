import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OrderStatus, orderStatuses } from '@orders/contracts/orders/api';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import fc from 'fast-check';
import { createOrderQueries } from '../../src/show/order-queries.ts';
import { orderTables } from '../order-instance.ts';

const postgres = await startTestPostgres();
const day = Date.UTC(2026, 0, 20);

/** `count` orders, one each 10 s, of 7 customers, in all statuses. */
const insert = (count: number, status: string) => `
  INSERT INTO orders (
    order_id, customer_id, customer_name, currency, items, item_count, total, created_at, status,
                      publish_failed, attention, updated_at)
  SELECT id, 'customer ' || n % 7, 'n', NULL, '[]', 1, NULL, uuid_extract_timestamp(id), s, false,
         CASE WHEN s IN ('Pending', 'Retrying', 'Failed', 'Cancelled') THEN s END, now()
  FROM (SELECT n, ${status} AS s,
               (lpad(to_hex(${day} + n * 10000::bigint), 12, '0')
                 || '7' || substr(md5(n::text), 1, 3) || '8' ||
                substr(md5(n::text), 4, 15))::uuid AS id
        FROM generate_series(0, ${count - 1}) n) made`;
const anyStatus = `(ARRAY['${orderStatuses.join("','")}'])[1 + hashint4(n) & 7 % 7 + 1]`;

type Filter = {
  status?: OrderStatus;
  customerId?: string;
  createdFrom?: string;
  createdTo?: string;
};

test('paging through any filter gives what plain SQL gives, in order, each order once', async (t) => {
  const { connect, sql } = await orderTables(t, postgres);
  await sql(insert(1_200, `coalesce(${anyStatus}, 'Shipped')`));
  const queries = createOrderQueries(connect('a'));
  const moment = fc
    .integer({ min: -60, max: 12_060 })
    .map((seconds) => new Date(day + seconds * 1_000).toISOString());
  const filter: fc.Arbitrary<Filter> = fc.record(
    {
      status: fc.constantFrom(...orderStatuses),
      customerId: fc.constantFrom('customer 0', 'customer 3', 'nobody'),
      createdFrom: moment,
      createdTo: moment,
    },
    { requiredKeys: [] },
  );
  const property = fc.asyncProperty(
    filter,
    fc.integer({ min: 1, max: 200 }),
    async (query, limit) => {
      const expected = await sql<{ id: string }>(
        `SELECT order_id AS id
         FROM orders
         WHERE ($1::text IS NULL OR status = $1)
           AND ($2::text IS NULL OR customer_id = $2)
           AND ($3::timestamptz IS NULL OR created_at >= $3)
           AND ($4::timestamptz IS NULL OR created_at <= $4)
       ORDER BY order_id DESC`,
        [query.status, query.customerId, query.createdFrom, query.createdTo],
      );
      const seen: string[] = [];
      let pageToken: string | null = null;
      for (let pages = 0; pages <= 1_300; pages += 1) {
        const page: Awaited<ReturnType<typeof queries.page>> = await queries.page({
          ...query,
          limit,
          ...(pageToken && { pageToken }),
        });
        assert.ok(page.items.length <= limit);
        seen.push(...page.items.map(({ orderId }) => orderId));
        pageToken = page.nextPageToken;
        if (pageToken === null) break;
      }
      assert.equal(pageToken, null, 'it ends');
      assert.deepEqual(
        seen,
        expected.map(({ id }) => id),
      );
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test('a rare status is found beyond the budget of a page, by short pages that go on', async (t) => {
  const { connect, sql } = await orderTables(t, postgres);
  await sql(insert(7_000, `CASE WHEN n IN (0, 4500) THEN 'Shipped' ELSE 'Processing' END`));
  const queries = createOrderQueries(connect('a'));
  const sizes: number[] = [];
  let pageToken: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof queries.page>> = await queries.page({
      status: 'Shipped',
      limit: 50,
      ...(pageToken && { pageToken }),
    });
    sizes.push(page.items.length);
    pageToken = page.nextPageToken;
  } while (pageToken !== null && sizes.length < 10);
  assert.deepEqual(sizes, [0, 1, 0, 1]);
});

test('a token that is none, and a time that JavaScript does not know, are faults of their parameter', async (t) => {
  const { connect } = await orderTables(t, postgres);
  const queries = createOrderQueries(connect('a'));
  for (const pageToken of ['', 'x', 'AAAAAAAAAAAAAAAAAAAAAA==', '%00', 'é'.repeat(22)]) {
    await assert.rejects(queries.page({ limit: 1, pageToken }), {
      code: 'validation_failed',
      status: 400,
    });
  }
  for (const parameter of ['createdFrom', 'createdTo']) {
    const fault = { code: 'validation_failed', errors: [{ parameter, detail: 'must be a time' }] };
    await assert.rejects(queries.page({ limit: 1, [parameter]: '2016-12-31T23:59:60Z' }), fault);
  }
});
