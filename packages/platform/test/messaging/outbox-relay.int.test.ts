import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type OutgoingEvent, RefusedEvent } from '../../src/messaging/broker.ts';
import type { OutboxRow } from '../../src/messaging/outbox-store.ts';
import { startTestPostgres } from '../kit/test-postgres.ts';
import { until, within } from '../kit/until.ts';
import { hot, names, outboxTable, rowsNamed } from './outbox-table.ts';

const postgres = await startTestPostgres();

test('I3: what is handed over hot is published with its headers and then deleted', async (t) => {
  const { fake, relayOf, insert, left } = await outboxTable(t, postgres);
  const { relay } = relayOf('a');
  const rows = rowsNamed(names(700));
  await insert(rows, hot('a'));
  relay.offer(rows);
  await until('the table is empty', async () => (await left()).length === 0);
  assert.equal(fake.taken.length, 700);
  assert.deepEqual(fake.taken[0]?.event, {
    key: 'k0000',
    value: '{"key":"k0000"}',
    headers: {
      'event-id': rows[0]?.eventId,
      'event-type': 'ThingMade',
      'content-type': 'application/json',
    },
  });
});

test('a failing broker makes the relay cold until the table is drained, and tells which orders wait', async (t) => {
  const { fake, relayOf, insert, left } = await outboxTable(t, postgres);
  const told: string[] = [];
  const note = (what: string) => async (rows: OutboxRow[]) =>
    void told.push(...rows.map((row) => `${what} ${row.key}`));
  const { relay } = relayOf('a', {
    events: { onFailed: note('failed'), onRecovered: note('recovered') },
  });
  let isAway = true;
  fake.behaviour = async () => {
    if (isAway) throw new Error('away');
  };
  relay.start();
  const rows = rowsNamed(names(3));
  await insert(rows, hot('a'));
  relay.offer(rows);
  await until('it is cold', () => !relay.isHot);
  await until('the hook was told', () => told.includes('failed k0002'));
  const calls = fake.calls;
  await until('it tries again', () => fake.calls > calls + 1);
  assert.equal(relay.isHot, false);
  assert.equal((await left()).length, 3);
  isAway = false;
  await until('it is hot again', () => relay.isHot);
  assert.deepEqual(await left(), []);
  assert.deepEqual(
    told.filter((line) => line.startsWith('recovered')).sort(),
    names(3).map((key) => `recovered ${key}`),
  );
});

test('the relay is not hot again before what failed is given back, however slow that is', async (t) => {
  const { fake, relayOf, insert } = await outboxTable(t, postgres);
  let giveBack = (): void => undefined;
  const slow = new Promise<void>((resolve) => {
    giveBack = resolve;
  });
  const { relay, store } = relayOf('a', { events: { onFailed: () => slow } });
  fake.behaviour = () => Promise.reject(new Error('away'));
  relay.start();
  const rows = rowsNamed(names(3));
  await insert(rows, hot('a'));
  relay.offer(rows);
  await until('it is cold', () => !relay.isHot);
  let sweeps = 0;
  let wasHot = false;
  await until('several sweeps found nothing that is free', async () => {
    wasHot ||= relay.isHot;
    sweeps += 1;
    await store.depth();
    return sweeps > 200;
  });
  assert.equal(wasHot, false, 'it called the broker healthy without having published anything');
  giveBack();
});

test('an event that the broker refuses for good is parked alone, and its neighbours go through', async (t) => {
  const { fake, relayOf, insert, left, sql } = await outboxTable(t, postgres);
  const failed: string[] = [];
  const { relay } = relayOf('a', {
    events: { onFailed: async (rows) => void failed.push(...rows.map((r) => r.key)) },
  });
  fake.behaviour = async (_topic, events) => {
    if (events.some(({ key }) => key === 'k0013')) throw new RefusedEvent('too large');
  };
  const rows = rowsNamed(names(40));
  await insert(rows, hot('a'));
  relay.offer(rows);
  await until('one row is left', async () => (await left()).length === 1);
  assert.deepEqual(await left(), ['k0013']);
  await until('the hook was told', () => failed.length > 0);
  assert.deepEqual(failed, ['k0013']);
  assert.equal(relay.isHot, true);
  assert.deepEqual(await sql('SELECT refused, claim_until::text AS until FROM outbox'), [
    { refused: 'too large', until: 'infinity' },
  ]);
  const calls = fake.calls;
  relay.start();
  await insert(rowsNamed(['later']), null);
  await until('the sweep published another', () => fake.keys().has('later'));
  assert.ok(fake.calls <= calls + 2, 'the parked one is not tried again');
});

test('what a crashed instance held is swept by another as soon as the claim ends, and not before', async (t) => {
  const { fake, relayOf, insert, left } = await outboxTable(t, postgres);
  await insert(rowsNamed(['short']), { instance: 'crashed', claimMs: 300 });
  await insert(rowsNamed(['long']), { instance: 'alive', claimMs: 60_000 });
  const began = performance.now();
  relayOf('b').relay.start();
  await until('it is swept', () => fake.keys().has('short'));
  assert.ok(performance.now() - began >= 250);
  await until('it is marked', async () => (await left()).length === 1);
  assert.deepEqual(await left(), ['long']);
});

test('closing publishes what waits or gives it back: nothing stays claimed', async (t) => {
  const { fake, relayOf, insert, left, sql } = await outboxTable(t, postgres);
  const { relay } = relayOf('a');
  fake.behaviour = async (_topic: string, events: OutgoingEvent[]) => {
    if (events.some(({ key }) => key.startsWith('bad'))) throw new Error('away');
  };
  const good = rowsNamed(names(5, 'good'));
  await insert(good, hot('a'));
  relay.offer(good);
  await within('it closes', relay.close(), 8_000);
  assert.deepEqual(await left(), []);

  const other = relayOf('b').relay;
  const bad = rowsNamed(names(5, 'bad'));
  await insert(bad, hot('b'));
  other.offer(bad);
  await within('it closes', other.close(), 8_000);
  const held = await sql('SELECT key FROM outbox WHERE claim_until > now()');
  assert.deepEqual(held, [], 'another instance may take them at once');
  assert.equal((await left()).length, 5);
});

test('I3: with random failures every event is published at least once and the table ends empty', async (t) => {
  const scenario = fc.record({
    hotBatches: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
    free: fc.integer({ min: 0, max: 40 }),
    /** Of the broker's next calls: fails before, fails after taking all, refuses a key, works. */
    fates: fc.array(fc.constantFrom('fails', 'takes and fails', 'works'), { maxLength: 8 }),
  });
  let round = 0;
  const property = fc.asyncProperty(scenario, async ({ hotBatches, free, fates }) => {
    round += 1;
    const { fake, relayOf, insert, left } = await outboxTable(t, postgres);
    const script = [...fates];
    fake.behaviour = async (topic, events) => {
      const fate = script.shift() ?? 'works';
      if (fate === 'works') return;
      if (fate === 'takes and fails') for (const event of events) fake.taken.push({ topic, event });
      throw new Error('away');
    };
    const relays = ['a', 'b'].map((instance) => relayOf(instance, { claimMs: 2_000 }).relay);
    const expected: string[] = [];
    await insert(rowsNamed(names(free, 'free')), null);
    expected.push(...names(free, 'free'));
    for (const relay of relays) relay.start();
    for (const [i, size] of hotBatches.entries()) {
      const relay = relays[i % 2];
      const keys = names(size, `hot${i}-`);
      const rows = rowsNamed(keys);
      expected.push(...keys);
      const isHot = relay?.isHot === true;
      await insert(rows, isHot ? { instance: i % 2 === 0 ? 'a' : 'b', claimMs: 2_000 } : null);
      if (isHot) relay.offer(rows);
    }
    await until('the table is empty', async () => (await left()).length === 0, 20_000);
    assert.deepEqual([...fake.keys()].sort(), [...new Set(expected)].sort());
    await Promise.all(relays.map((relay) => relay.close()));
  });
  await fc.assert(property, { numRuns: 8 });
  assert.ok(round >= 8);
});
