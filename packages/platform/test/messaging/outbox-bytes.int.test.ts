import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusedEvent } from '../../src/messaging/broker.ts';
import { startTestPostgres } from '../kit/test-postgres.ts';
import { until } from '../kit/until.ts';
import { hot, names, outboxTable, rowsNamed } from './outbox-table.ts';

const postgres = await startTestPostgres();

test('large events are taken from the table by bytes: the drain never holds more than a few megabytes', async (t) => {
  const { fake, relayOf, insert, left } = await outboxTable(t, postgres);
  const { relay, store } = relayOf('a');
  const large = 'x'.repeat(800_000);
  for (let i = 0; i < 6; i += 1) {
    const rows = rowsNamed(names(10, `k${i}-`));
    await insert(
      rows.map((row) => ({ ...row, payload: JSON.stringify(large) })),
      null,
    );
  }
  let most = 0;
  const claim = store.claim;
  store.claim = async (asked) => {
    const rows = await claim(asked);
    most = Math.max(
      most,
      rows.reduce((sum, row) => sum + (row.payload?.length ?? 0), 0),
    );
    return rows;
  };
  let isAway = true;
  fake.behaviour = async () => {
    if (isAway) throw new Error('away');
  };
  relay.start();
  await until('it is cold', () => !relay.isHot);
  isAway = false;
  await until('all are published', async () => (await left()).length === 0, 20_000);
  assert.ok(most < 5_000_000, `${most} bytes at once`);
});

test('a full queue of our own is no failure of the broker: the rest is swept up later', async (t) => {
  const { fake, relayOf, insert, left } = await outboxTable(t, postgres);
  const { relay } = relayOf('a');
  const payload = JSON.stringify('x'.repeat(800_000));
  const rows = rowsNamed(names(60)).map((row) => ({ ...row, payload }));
  for (let i = 0; i < 60; i += 10) await insert(rows.slice(i, i + 10), hot('a'));
  relay.start();
  relay.offer(rows);
  await until('all are published', async () => (await left()).length === 0, 20_000);
  assert.equal(relay.isHot, true);
  assert.equal(fake.taken.length, 60, 'each once');
});

test('copies of dead letters that fail hold up no event, and one that is refused is dropped', async (t) => {
  const { fake, relayOf, insert, left, sql } = await outboxTable(t, postgres);
  const { relay } = relayOf('a');
  fake.behaviour = async (topic, events) => {
    if (topic === 'large.dlq' && events.length > 0) throw new RefusedEvent('too large');
    if (topic === 'denied.dlq') throw new Error('not authorised');
  };
  const copy = (topic: string) =>
    sql(
      `INSERT INTO outbox (key, sequence, topic, event_id, event_type, bytes, headers, claim_until)
       VALUES ($1, 1, $1, gen_random_uuid(), 'DeadLetter', 'x', '{}', '-infinity')`,
      [topic],
    );
  await copy('denied.dlq');
  await copy('large.dlq');
  await insert(rowsNamed(names(5)), null);
  relay.start();
  await until('all others are gone', async () => (await left()).join() === 'denied.dlq');
  assert.equal(relay.isHot, true);
  assert.equal(fake.taken.length, 5);
});
