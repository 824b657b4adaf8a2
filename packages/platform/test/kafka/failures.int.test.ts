import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { Admin } from '@platformatic/kafka';
import type { Broker, IncomingEvent } from '../../src/messaging/broker.ts';
import { event, publish, topic } from '../kit/published-events.ts';
import { openKafkaBroker, skipWithout, startTestKafka, type TestKafka } from '../kit/test-kafka.ts';
import { until } from '../kit/until.ts';

const kafka = (await startTestKafka()) as TestKafka;
const options = { timeout: 120_000, ...skipWithout(kafka) };

async function subscribed(broker: Broker): Promise<Map<string, IncomingEvent>> {
  const received = new Map<string, IncomingEvent>();
  const handler = async (events: IncomingEvent[]): Promise<void> => {
    for (const one of events) received.set(one.key ?? '', one);
  };
  await broker.subscribe({ topic, group: 'a', eventsMax: 100, handler });
  return received;
}

async function rejectsWithin(limitMs: number, broker: Broker, key: string): Promise<void> {
  const begun = performance.now();
  await assert.rejects(broker.publish(topic, [event(key)]));
  const tookMs = performance.now() - begun;
  assert.ok(tookMs < limitMs, `rejected after ${tookMs} ms`);
}

// Default 1 of the client: sends of an idempotent producer are retried without end. Default 4: the
// stream dies some 12 s after the broker and is never opened again. Default 5: what was rejected
// may have been written, so copies are fine and gaps are not.
test(
  'a broker that is killed and comes back after 13 s: publishes reject in time, then all goes on',
  options,
  async (t) => {
    const { broker } = openKafkaBroker(t, kafka.bootstrapServers);
    const received = await subscribed(broker);
    await publish(broker, [event('before')]);
    await until('the first event arrives', () => received.has('before'));

    // With nothing in hand only the stream can notice the outage.
    await until('it is committed', async () =>
      (await broker.lag.read()).every(({ events }) => events === 0),
    );

    await kafka.kill();
    const down = performance.now();
    let rejections = 0;
    await until(
      'publishes are rejected for 13 s',
      async () => {
        // The publish deadline is 5 s; who is refused a connection need not wait for it.
        await rejectsWithin(4_000, broker, `lost-${rejections}`);
        rejections += 1;
        return performance.now() - down > 13_000;
      },
      30_000,
    );
    await kafka.restart();
    const back = performance.now();
    await publish(broker, [event('after')]);
    const publishedMs = performance.now() - back;
    await until('the event after the outage arrives', () => received.has('after'), 30_000);
    t.diagnostic(
      `published ${Math.round(publishedMs)} ms, received ${Math.round(performance.now() - back)} ms after the return`,
    );
  },
);

test(
  'a broker that hangs for 8 s: publishes reject in time, nothing is lost, nothing needs a restart',
  options,
  async (t) => {
    const { broker } = openKafkaBroker(t, kafka.bootstrapServers);
    const received = await subscribed(broker);
    await publish(broker, [event('before')]);
    await until('the first event arrives', () => received.has('before'));

    kafka.signal('SIGSTOP');
    const stopped = performance.now();
    const hanging = [publish(broker, [event('during-1')]), publish(broker, [event('during-2')])];
    try {
      await rejectsWithin(6_000, broker, 'during-3');
      await until('8 s have passed', () => performance.now() - stopped > 8_000);
    } finally {
      kafka.signal('SIGCONT');
    }
    const back = performance.now();
    await Promise.all([...hanging, publish(broker, [event('after')])]);
    await until(
      'all that was published arrives',
      () => ['during-1', 'during-2', 'after'].every((key) => received.has(key)),
      30_000,
    );
    t.diagnostic(`all received ${Math.round(performance.now() - back)} ms after it went on`);
  },
);

test('services start without Kafka: subscriptions begin when it comes', options, async (t) => {
  await kafka.kill();
  const { broker } = openKafkaBroker(t, kafka.bootstrapServers);
  const received = await subscribed(broker);
  await rejectsWithin(6_000, broker, 'early');
  await kafka.restart();
  await publish(broker, [event('late')]);
  await until('the event arrives', () => received.has('late'), 30_000);
});

test('a member that is killed is replaced within 10 s, with nothing lost', options, async (t) => {
  const { broker, names, groupOf } = openKafkaBroker(t, kafka.bootstrapServers);
  const received = await subscribed(broker);
  const other = await startMember(t, [names[topic] ?? '', groupOf('a')], received, broker);
  other.process.kill('SIGKILL');
  const killed = performance.now();
  const keys = Array.from({ length: 40 }, (_, i) => `after-${i}`);
  await publish(
    broker,
    keys.map((key) => event(key)),
  );
  await until('the survivor has all', () => keys.every((key) => received.has(key)), 30_000);
  const tookMs = Math.round(performance.now() - killed);
  t.diagnostic(`takeover after ${tookMs} ms`);
  assert.ok(tookMs < 10_000, `takeover took ${tookMs} ms`);
});

test(
  'a member that is stopped and goes on does not set the commits of others back',
  options,
  async (t) => {
    const { broker, names, groupOf, connection } = openKafkaBroker(t, kafka.bootstrapServers);
    const received = await subscribed(broker);
    const other = await startMember(t, [names[topic] ?? '', groupOf('a')], received, broker);
    const admin = new Admin({ ...connection, clientId: 'tests' });
    t.after(() => admin.close());
    const committed = async (): Promise<number[]> => {
      const [group] = await admin.listConsumerGroupOffsets({ groups: [groupOf('a')] });
      const mine = group?.topics.find(({ name }) => name === names[topic])?.partitions ?? [];
      return mine
        .toSorted((x, y) => x.partitionIndex - y.partitionIndex)
        .map(({ committedOffset }) => Number(committedOffset));
    };
    const highest: number[] = [];
    const watch = async (): Promise<void> => {
      for (const [partition, offset] of (await committed()).entries()) {
        assert.ok(
          offset >= (highest[partition] ?? 0),
          `partition ${partition} went back to ${offset}`,
        );
        highest[partition] = offset;
      }
    };

    await publish(
      broker,
      Array.from({ length: 40 }, (_, i) => event(`stop-${i}`)),
    );
    other.process.kill('SIGSTOP');
    const keys = Array.from({ length: 40 }, (_, i) => `after-${i}`);
    await publish(
      broker,
      keys.map((key) => event(key)),
    );
    await until('the survivor has all', () => keys.every((key) => received.has(key)), 30_000);
    await until('all is committed', async () =>
      (await broker.lag.read()).every(({ events }) => events === 0),
    );
    await watch();
    const before = other.seen.size;
    other.process.kill('SIGCONT');
    let round = 0;
    await until(
      'it is a member again',
      async () => {
        round += 1;
        await publish(
          broker,
          Array.from({ length: 20 }, (_, i) => event(`again-${round}-${i}`)),
        );
        await watch();
        return other.seen.size > before + 20;
      },
      30_000,
    );
  },
);

/** Another process in the subscription's place (topic and group); resolves when both get events. */
async function startMember(
  t: TestContext,
  place: string[],
  ours: Map<string, unknown>,
  broker: Broker,
) {
  const script = join(import.meta.dirname, 'member-process.ts');
  const args = [script, kafka.bootstrapServers, ...place];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const seen = new Set<string>();
  createInterface({ input: child.stdout }).on('line', (line) => seen.add(line));
  let round = 0;
  await until('both members get events', async () => {
    round += 1;
    const before = ours.size;
    await publish(
      broker,
      Array.from({ length: 40 }, (_, i) => event(`warm-${round}-${i}`)),
    );
    return seen.size > 0 && ours.size > before;
  });
  return { process: child, seen };
}
