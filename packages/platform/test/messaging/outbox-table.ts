import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createOutboxRelay, type RelayEvents } from '../../src/messaging/outbox-relay.ts';
import { createOutboxStore, type OutboxRow } from '../../src/messaging/outbox-store.ts';
import { createMetrics } from '../../src/process/metrics.ts';
import { createFakeBroker } from '../kit/fake-broker.ts';
import { silentLog, type TestPostgres } from '../kit/test-postgres.ts';

const migrations = join(import.meta.dirname, '../../../../services/fulfillment/migrations');

export const rowsNamed = (keys: string[]): OutboxRow[] =>
  keys.map((key) => ({
    topic: 'things',
    key,
    sequence: 1,
    eventId: randomUUID(),
    eventType: 'ThingMade',
    payload: JSON.stringify({ key }),
    correlationId: 'c',
    traceparent: null,
  }));

/** A table of its own; relays on it share one fake broker. */
export async function outboxTable(t: TestContext, postgres: TestPostgres) {
  const { connect, sql } = await postgres.schema(t, migrations);
  const fake = createFakeBroker();
  const relayOf = (instance: string, options: { claimMs?: number; events?: RelayEvents } = {}) => {
    const store = createOutboxStore(connect(instance), instance);
    const metrics = createMetrics('test');
    const relay = createOutboxRelay({
      name: 'test',
      store,
      broker: fake.broker,
      log: silentLog,
      metrics,
      ...options,
    });
    t.after(() => relay.close());
    return { relay, store };
  };
  /** As a service's own statement does: claimed for a while, or free at once. */
  const insert = async (rows: OutboxRow[], as: { instance: string; claimMs: number } | null) => {
    const values = rows.map((row) => [row.key, row.eventId, row.payload]);
    await sql(
      `INSERT INTO outbox (
         key, sequence, topic, event_id, event_type, payload, claimed_by, claim_until)
       SELECT v->>0, 1, 'things', (v->>1)::uuid, 'ThingMade', v->>2, $2,
              CASE WHEN $3::int IS NULL THEN '-infinity' ELSE now() + $3::int * interval '1 ms' END
       FROM json_array_elements($1::json) v`,
      [JSON.stringify(values), as?.instance ?? null, as?.claimMs ?? null],
    );
  };
  const left = async () =>
    (await sql<{ key: string }>('SELECT key FROM outbox ORDER BY key')).map(({ key }) => key);
  return { fake, relayOf, insert, left, sql };
}

export const hot = (instance: string) => ({ instance, claimMs: 10_000 });
export const names = (count: number, prefix = 'k') =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`);
