import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchStatements } from '@orders/platform/test/kit/plans';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { decide } from '../src/fulfillment.ts';
import { startedEvent } from '../src/fulfillment-event.ts';
import { openByState } from '../src/metrics.ts';
import type { Outcome } from '../src/outcome.ts';
import type { Filing } from '../src/receive/filing-store.ts';
import { createBreakerExchangeStore } from '../src/ship/breaker-exchange-store.ts';
import { fulfillmentStores, fulfillmentTables, newIds, quick } from './fulfillment-instance.ts';

// Nothing tells the planner how large the tables are: as in the first minutes of a service.
const postgres = await startTestPostgres({ autovacuum: 'off' });
const rows = 200_000;
/**
 * Far above what an index plan takes (single milliseconds) and far below a look at every row, on a
 * busy machine.
 */
const slowMs = 250;
const times = { leaseMs: 15_000, settleMs: 0 };
const call = { durationMs: 1, now: new Date(), random: 0 };

test('every hot statement of the Fulfillment Service stays an index plan on a table that grew from nothing', async (t) => {
  const { connect, sql } = await fulfillmentTables(t, postgres);
  const { watched, assertPlanned } = watchStatements(connect('a', { connections: 1 }));
  const store = fulfillmentStores(watched, 'a');
  const instances = createBreakerExchangeStore(watched, 'a');

  const filing = (orderId: string): Filing => {
    const started = startedEvent(orderId, null, new Date(), null);
    const event = {
      topic: 'fulfillment-events',
      key: orderId,
      sequence: 1,
      eventId: started.eventId ?? '',
      eventType: started.eventType,
      payload: JSON.stringify(started),
      correlationId: null,
      traceparent: null,
    };
    return {
      orderId,
      partition: 1,
      offset: '1',
      payload: '{}',
      correlationId: null,
      traceparent: null,
      createdAt: new Date().toISOString(),
      publishedAt: new Date().toISOString(),
      isHandedOver: false,
      event,
    };
  };
  async function everyStatement(size: number): Promise<void> {
    const filings = newIds(size).toSorted().map(filing);
    const unwanted = newIds(size).toSorted();
    const cancellations = unwanted.map((orderId) => ({
      orderId,
      partition: 1,
      offset: '2',
      reason: null,
    }));
    await store.file(
      'order-events',
      { filings, cancellations, letters: [] },
      { leaseMs: 15_000, eventClaimMs: 10_000 },
    );
    for (const outcome of [
      { kind: 'not_sent', error: 'x' },
      { kind: 'shipped', trackingNumber: 'T', carrier: null, shippedAt: new Date().toISOString() },
    ] as Outcome[]) {
      const claimed = await store.claimDue({ itemsMax: size, bytesMax: 1_000_000 }, times);
      assert.equal(claimed.length, size);
      await store.renew(claimed, 15_000);
      await store.askAgain(claimed);
      const decided = claimed.map((one) => ({
        decision: { ...decide(one, outcome, call, quick) },
        event: null,
      }));
      await store.report(
        decided.toSorted((a, b) => (a.decision.orderId < b.decision.orderId ? -1 : 1)),
        null,
      );
    }
    await store.takeBack();
    await store.resume(1_000);
    await openByState(watched);
    await instances.exchange({
      breakerState: 'closed',
      breakerSinceMs: 1,
      lastError: null,
      callLimit: 1,
      calls: 0,
      pausedMs: 0,
      failingOrders: [],
    });
  }

  for (let i = 0; i < 10; i += 1) await everyStatement(1);
  await sql(
    `INSERT INTO fulfillments (
       order_id, source_topic, source_partition, source_offset, payload, created_at, state,
       sequence, claim, attempts, attempt_open, due_at)
     SELECT gen_random_uuid(), 't', 0, n, '{}', now(),
            CASE WHEN n % 100 = 0 THEN 'Retrying' ELSE 'Shipped' END, 2, 1, 1, false,
            CASE WHEN n % 100 = 0 THEN now() + interval '1 hour' END
     FROM generate_series(1, ${rows}) n`,
  );
  await sql(
    `INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset)
     SELECT gen_random_uuid(), 't', 0, n FROM generate_series(1, ${rows}) n`,
  );
  await everyStatement(1);
  await everyStatement(250);
  // Of instances there are a few.
  await assertPlanned(t, slowMs, (table) => table === 'instances');
});
