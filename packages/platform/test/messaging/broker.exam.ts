import assert from 'node:assert/strict';
import { type TestContext, type TestOptions, test } from 'node:test';
import type { BatchHandler, Broker, IncomingEvent } from '../../src/messaging/broker.ts';
import { event, publish, topic } from '../kit/published-events.ts';
import { until } from '../kit/until.ts';

/**
 * What every broker must pass. `createBroker` makes one whose topic `events` is declared for these
 * groups, and closes it with the test.
 */
export function examineBroker(
  name: string,
  createBroker: (t: TestContext, groups: string[]) => Broker,
  options: TestOptions = {},
): void {
  const exam = (what: string, examine: (t: TestContext) => Promise<void>): void => {
    test(`${name}: ${what}`, { timeout: 60_000, ...options }, examine);
  };

  exam('an event arrives as it was published', async (t) => {
    const broker = createBroker(t, ['a']);
    const received = await collect(broker, 'a');
    const json = JSON.stringify({ name: 'Zoë 🚚', price: 0.1, text: 'x'.repeat(100_000) });
    const headers = { 'event-id': '1', 'event-type': 'Örder', traceparent: '00-1-2-01' };
    const before = Date.now();
    await publish(broker, [
      { key: 'k', value: json, headers },
      event('bytes', Buffer.from([0, 255, 128])),
    ]);
    await until('both events arrive', () => received.length === 2);
    const [text, bytes] = byKey(received, 'k', 'bytes');
    assert.equal(text?.value.toString('utf8'), json);
    assert.deepEqual({ topic: text?.topic, headers: text?.headers }, { topic, headers });
    assert.equal(typeof text?.offset, 'bigint');
    const publishedMs = text?.publishedAt.getTime() ?? 0;
    assert.ok(
      publishedMs >= before && publishedMs <= Date.now(),
      `published at ${text?.publishedAt}`,
    );
    assert.deepEqual(bytes?.value, Buffer.from([0, 255, 128]));
  });

  exam('publishing nothing succeeds', async (t) => {
    const broker = createBroker(t, ['a']);
    await collect(broker, 'a');
    await publish(broker, []);
  });

  exam(
    'events of a key arrive in their order, in one partition, with growing offsets',
    async (t) => {
      const broker = createBroker(t, ['a']);
      const received = await collect(broker, 'a');
      for (let round = 0; round < 10; round += 1) {
        await publish(
          broker,
          Array.from({ length: 60 }, (_, i) =>
            event(`key-${i % 20}`, `${round * 3 + Math.floor(i / 20)}`),
          ),
        );
      }
      await until('all 600 arrive', () => received.length === 600);
      for (const [key, events] of Map.groupBy(received, (one) => one.key)) {
        assert.deepEqual(
          events.map(({ value }) => Number(value)),
          Array.from({ length: 30 }, (_, i) => i),
          `order of ${key}`,
        );
        assert.equal(new Set(events.map(({ partition }) => partition)).size, 1);
      }
      for (const events of Map.groupBy(received, (one) => one.partition).values()) {
        assert.ok(
          events.every(({ offset }, i) => i === 0 || offset > (events[i - 1]?.offset ?? 0n)),
        );
      }
      assert.ok(new Set(received.map(({ partition }) => partition)).size > 1);
    },
  );

  exam('a handler gets batches, none larger than it asked for', async (t) => {
    const broker = createBroker(t, ['a']);
    const sizes: number[] = [];
    const handler: BatchHandler = async (events) => void sizes.push(events.length);
    await broker.subscribe({ topic, group: 'a', eventsMax: 30, handler });
    await publish(
      broker,
      Array.from({ length: 200 }, (_, i) => event(`key-${i}`)),
    );
    await until('all arrive', () => sum(sizes) === 200);
    assert.ok(Math.max(...sizes) <= 30 && Math.max(...sizes) > 1, `batches of ${sizes}`);
  });

  exam('what a handler rejects comes again, and nothing is lost', async (t) => {
    const broker = createBroker(t, ['a']);
    const handled = new Set<string | undefined>();
    let failures = 3;
    const handler: BatchHandler = async (events) => {
      failures -= 1;
      if (failures >= 0) throw new Error('database away');
      for (const { key } of events) handled.add(key);
    };
    await broker.subscribe({ topic, group: 'a', eventsMax: 10, handler });
    const events = Array.from({ length: 25 }, (_, i) => event(`key-${i}`));
    await publish(broker, events);
    await until('all are handled', () => handled.size === 25);
    assert.ok(failures < 0);
  });

  exam('each group gets every event, and one that fails does not stop the other', async (t) => {
    const broker = createBroker(t, ['a', 'b']);
    const a = await collect(broker, 'a');
    let isFailing = true;
    const b = new Set<string | undefined>();
    const handler: BatchHandler = async (events) => {
      if (isFailing) throw new Error('away');
      for (const { key } of events) b.add(key);
    };
    await broker.subscribe({ topic, group: 'b', eventsMax: 10, handler });
    const published = publish(
      broker,
      Array.from({ length: 20 }, (_, i) => event(`key-${i}`)),
    );
    await until('the first group has all', () => keys(a).size === 20);
    isFailing = false;
    await until('the second group has all', () => b.size === 20);
    await published;
  });

  exam('members of a group share the events; when one leaves, the others get all', async (t) => {
    const broker = createBroker(t, ['a']);
    const one: IncomingEvent[] = [];
    const two: IncomingEvent[] = [];
    const first = await subscribe(broker, 'a', one);
    await subscribe(broker, 'a', two);
    let published = 0;
    const round = async (): Promise<void> => {
      await publish(
        broker,
        Array.from({ length: 40 }, (_, i) => event(`key-${published + i}`)),
      );
      published += 40;
    };
    await until('both get some', async () => {
      await round();
      return one.length > 0 && two.length > 0;
    });
    await until('all arrive', () => keys([...one, ...two]).size === published);
    await first.close();
    const before = one.length;
    await round();
    await until('all arrive', () => keys([...one, ...two]).size === published);
    assert.equal(one.length, before);
  });

  exam(
    'closing waits for the batch in hand and takes no further one; the next member goes on',
    async (t) => {
      const broker = createBroker(t, ['a']);
      const gate = Promise.withResolvers<void>();
      const begun: string[] = [];
      const done: string[] = [];
      const handler: BatchHandler = async ([only]) => {
        begun.push(only?.key ?? '');
        await gate.promise;
        done.push(only?.key ?? '');
      };
      const subscription = await broker.subscribe({ topic, group: 'a', eventsMax: 1, handler });
      const published = publish(
        broker,
        Array.from({ length: 5 }, (_, i) => event(`key-${i}`)),
      );
      await until('the first batch is in hand', () => begun.length === 1);
      let isClosed = false;
      const closing = subscription.close().then(() => {
        isClosed = true;
      });
      assert.equal(isClosed, false);
      gate.resolve();
      await closing;
      assert.deepEqual(done, begun);
      assert.equal(done.length, 1);
      const rest = await collect(broker, 'a');
      await until(
        'the others reach the next member',
        () => keys(rest).union(new Set(done)).size === 5,
      );
      await published;
    },
  );

  // An offset committed, or a publish acknowledged, before the handler is done would lose it.
  exam('what a member could not handle until it left is left to the next one', async (t) => {
    const broker = createBroker(t, ['a']);
    let tries = 0;
    const handler: BatchHandler = () => Promise.reject(new Error(`database away ${++tries} times`));
    const subscription = await broker.subscribe({ topic, group: 'a', eventsMax: 10, handler });
    const published = publish(broker, [event('one'), event('two')]);
    await until('a batch is tried', () => tries > 0);
    await subscription.close();
    const rest = await collect(broker, 'a');
    await until('the next member has both', () => keys(rest).size === 2);
    await published;
  });

  exam('publishing to a closed broker is rejected', async (t) => {
    const broker = createBroker(t, ['a']);
    await broker.close();
    await assert.rejects(broker.publish(topic, [event('k')]));
  });
}

async function collect(broker: Broker, group: string): Promise<IncomingEvent[]> {
  const received: IncomingEvent[] = [];
  await subscribe(broker, group, received);
  return received;
}

function subscribe(broker: Broker, group: string, into: IncomingEvent[]) {
  return broker.subscribe({
    topic,
    group,
    eventsMax: 100,
    handler: async (events) => void into.push(...events),
  });
}

const keys = (events: IncomingEvent[]): Set<string> => new Set(events.map(({ key }) => key ?? ''));
const byKey = (events: IncomingEvent[], ...names: string[]) =>
  names.map((key) => events.find((one) => one.key === key));
const sum = (numbers: number[]): number => numbers.reduce((total, n) => total + n, 0);
