import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Admin, Producer } from '@platformatic/kafka';
import { observeKafkaLag } from '../../src/kafka/lag.ts';
import type { BatchHandler, IncomingEvent } from '../../src/messaging/broker.ts';
import { createMetrics } from '../../src/process/metrics.ts';
import { event, publish, receive, topic } from '../kit/published-events.ts';
import { anyKafka, openKafkaBroker, silentLog, skipWithout } from '../kit/test-kafka.ts';
import { until } from '../kit/until.ts';

const kafka = await anyKafka();
const servers = kafka?.bootstrapServers ?? '';
const options = { timeout: 60_000, ...skipWithout(kafka) };

// Default 3 of the client: a new group begins with what comes next.
test('a group that is new reads what was published before it', options, async (t) => {
  const { broker } = openKafkaBroker(t, servers);
  await publish(broker, [event('early')]);
  const received = await receive(broker);
  await until('the early event arrives', () => received.length === 1);
});

// Default 2: 50 MB are fetched and buffered whatever the reader does.
test('a slow handler bounds what is fetched ahead of it', options, async (t) => {
  const { broker } = openKafkaBroker(t, servers);
  const events = Array.from({ length: 1_200 }, (_, i) =>
    event(`key-${i}`, Buffer.alloc(10_000, 'x')),
  );
  await publish(broker, events);
  let fetched = 0;
  const receives = tracingChannel('plt:kafka:consumer:receives');
  const count = (): void => {
    fetched += 1;
  };
  receives.start.subscribe(count);
  t.after(() => receives.start.unsubscribe(count));
  const gate = Promise.withResolvers<void>();
  let handled = 0;
  const handler: BatchHandler = async (batch) => {
    await gate.promise;
    handled += batch.length;
  };
  await broker.subscribe({ topic, group: 'a', eventsMax: 100, handler });
  await until('the handler has a batch', () => fetched > 0);
  // A second passes in which the default fetches all of it: until() polls, the lag asks Kafka
  // meanwhile.
  const begun = performance.now();
  await until(
    'a second passes',
    async () => (await broker.lag.read()).length > 0 && performance.now() - begun > 1_000,
  );
  assert.ok(fetched <= 400, `${fetched} of ${events.length} events of 10 kB were fetched ahead`);
  gate.resolve();
  await until('all are handled', () => handled === events.length);
});

test(
  'an assigned partition has a committed offset before anything is read from it',
  options,
  async (t) => {
    const { broker, names, groupOf, connection } = openKafkaBroker(t, servers);
    await broker.subscribe({ topic, group: 'a', eventsMax: 10, handler: async () => undefined });
    const admin = new Admin({ ...connection, clientId: 'tests' });
    t.after(() => admin.close());
    await until('all four partitions have one', async () => {
      const [group] = await admin.listConsumerGroupOffsets({ groups: [groupOf('a')] });
      const mine = group?.topics.find(({ name }) => name === names[topic]);
      return mine?.partitions.filter(({ committedOffset }) => committedOffset === 0n).length === 4;
    });
  },
);

test(
  'I5: a batch that fails for longer than a session stays with its member and keeps its place',
  options,
  async (t) => {
    const { broker } = openKafkaBroker(t, servers);
    const attempts: string[][] = [];
    const handled: string[] = [];
    const begun = performance.now();
    const handler: BatchHandler = async (batch) => {
      const keys = batch.map(({ key }) => key ?? '');
      attempts.push(keys);
      if (performance.now() - begun < 8_000) throw new Error('database away');
      handled.push(...keys);
    };
    await publish(broker, [event('first')]);
    await broker.subscribe({ topic, group: 'a', eventsMax: 1, handler });
    await until('the handler fails', () => attempts.length > 0);
    await publish(broker, [event('second')]);
    await until('both are handled', () => handled.length === 2, 20_000);
    assert.deepEqual(new Set(handled), new Set(['first', 'second']));
    const failed = attempts.slice(0, -2).flat();
    assert.ok(
      failed.length >= 3 && failed.every((key) => key === 'first'),
      `attempts ${JSON.stringify(attempts)}`,
    );
  },
);

// Committed before it is handled, the batch would be lost with the process.
test(
  'a batch in the hands of a member that is killed comes to the next member',
  options,
  async (t) => {
    const { broker, names, groupOf } = openKafkaBroker(t, servers);
    const keys = Array.from({ length: 8 }, (_, i) => `key-${i}`);
    await publish(
      broker,
      keys.map((key) => event(key)),
    );
    const script = join(import.meta.dirname, 'member-process.ts');
    const args = [script, servers, names[topic] ?? '', groupOf('a'), 'hangs'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    const received = new Set<string | undefined>();
    const handler: BatchHandler = async (events) => {
      for (const { key } of events) received.add(key);
    };
    await broker.subscribe({ topic, group: 'a', eventsMax: 10, handler });
    await until('the next member has all', () => received.size === keys.length, 30_000);
  },
);

test('a message without key, value and headers arrives as an event', options, async (t) => {
  const { broker, names, connection } = openKafkaBroker(t, servers);
  const received = await receive(broker);
  const producer = new Producer({ ...connection, clientId: 'foreign' });
  t.after(() => producer.close());
  await until(
    'the topic is there',
    async () => (await broker.lag.read().catch(() => [])).length > 0,
  );
  await producer.send({ messages: [{ topic: names[topic] ?? '', partition: 1 }] });
  await until('it arrives', () => received.length === 1);
  const [one] = received;
  assert.deepEqual([one?.topic, one?.partition, one?.key, one?.headers], [topic, 1, undefined, {}]);
  assert.equal(one?.value.length, 0);
});

test('kafka_consumer_lag counts per partition, also while no member runs', options, async (t) => {
  const { broker, names, groupOf } = openKafkaBroker(t, servers);
  const metrics = createMetrics('tests');
  observeKafkaLag(metrics, broker.lag, silentLog);
  const lag = async (): Promise<number> => {
    const values =
      (await metrics.registry.getSingleMetric('kafka_consumer_lag')?.get())?.values ?? [];
    const mine = values.filter(
      ({ labels }) => labels.topic === names[topic] && labels.group === groupOf('a'),
    );
    return mine.length === 4 ? mine.reduce((total, { value }) => total + value, 0) : -1;
  };
  const handled: IncomingEvent[] = [];
  const handler: BatchHandler = async (events) => void handled.push(...events);
  const first = await broker.subscribe({ topic, group: 'a', eventsMax: 10, handler });
  await publish(
    broker,
    Array.from({ length: 30 }, (_, i) => event(`key-${i}`)),
  );
  await until('nothing lags', async () => handled.length === 30 && (await lag()) === 0);
  await first.close();
  await publish(
    broker,
    Array.from({ length: 7 }, (_, i) => event(`key-${i}`)),
  );
  await until('seven lag', async () => (await lag()) === 7);
  await broker.subscribe({ topic, group: 'a', eventsMax: 10, handler });
  await until('nothing lags again', async () => (await lag()) === 0);
});
