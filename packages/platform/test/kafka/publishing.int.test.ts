import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Admin } from '@platformatic/kafka';
import pino from 'pino';
import { createKafkaTopics } from '../../src/kafka/topics.ts';
import { RefusedEvent } from '../../src/messaging/broker.ts';
import { event, publish, receive, topic } from '../kit/published-events.ts';
import { anyKafka, openKafkaBroker, skipWithout } from '../kit/test-kafka.ts';
import { until } from '../kit/until.ts';

const kafka = await anyKafka();
const servers = kafka?.bootstrapServers ?? '';
const options = { timeout: 60_000, ...skipWithout(kafka) };

test('a key goes to the partition where the Java client would put it', options, async (t) => {
  const { broker } = openKafkaBroker(t, servers, { partitions: 12 });
  const received = await receive(broker);
  // The hashes that Kafka's own tests expect of murmur2.
  const hashes = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
    abc: 479470107,
  };
  await publish(
    broker,
    Object.keys(hashes).map((key) => event(key)),
  );
  await until('all arrive', () => received.length === 6);
  const expected = Object.entries(hashes).map(([key, hash]) => [key, (hash & 0x7fffffff) % 12]);
  assert.deepEqual(
    Object.fromEntries(received.map(({ key, partition }) => [key, partition])),
    Object.fromEntries(expected),
  );
});

test(
  'events that are larger together than Kafka takes at once are all published',
  options,
  async (t) => {
    const { broker } = openKafkaBroker(t, servers, { partitions: 1 });
    const received = await receive(broker);
    await broker.publish(
      topic,
      Array.from({ length: 40 }, (_, i) => event(`key-${i}`, Buffer.alloc(107_000, 'x'))),
    );
    await until('all arrive', () => received.length === 40);
    assert.deepEqual(
      received.map(({ key }) => key),
      Array.from({ length: 40 }, (_, i) => `key-${i}`),
    );
  },
);

test(
  'an event that is too large for Kafka is refused for good, the largest allowed is not',
  options,
  async (t) => {
    const { broker } = openKafkaBroker(t, servers);
    await broker.publish(topic, [event('allowed', Buffer.alloc(900_000, 'x'))]);
    await assert.rejects(
      broker.publish(topic, [event('large', Buffer.alloc(1_100_000, 'x'))]),
      (error) => {
        assert.ok(error instanceof RefusedEvent, String(error));
        assert.match(error.message, /MESSAGE_TOO_LARGE/);
        return true;
      },
    );
    await broker.publish(topic, [event('next')]);
  },
);

test(
  'topics are created as configured; one that exists is used as it is, with one warning',
  options,
  async (t) => {
    const { broker, names, connection } = openKafkaBroker(t, servers, { partitions: 3 });
    await publish(broker, [event('k')]);
    const admin = new Admin({ ...connection, clientId: 'tests' });
    t.after(() => admin.close());
    const ours = Object.values(names).flatMap((name) => [name, `${name}.dlq`]);
    const { topics } = await admin.metadata({ topics: ours });
    assert.deepEqual(
      ours.map((name) => topics.get(name)?.partitionsCount),
      [3, 3],
    );

    const lines: string[] = [];
    const log = pino(
      new Writable({ write: (line, _, done) => done(void lines.push(String(line)) as undefined) }),
    );
    const other = createKafkaTopics({
      connection,
      clientId: 'tests',
      topics: ours,
      partitions: 5,
      replication: 1,
      log,
    });
    await Promise.all([other.ensure(), other.ensure()]);
    await other.ensure();
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /"level":40.*other settings/);
  },
);

test('two processes that create the same topics at once both succeed', options, async (t) => {
  const { names } = openKafkaBroker(t, servers);
  const brokers = [openKafkaBroker(t, servers, { names }), openKafkaBroker(t, servers, { names })];
  await Promise.all(brokers.map(({ broker }) => broker.publish(topic, [event('k')])));
});
