// Station 5 of 9: broker, Kafka. From the relay (4) come published events; the in-sync replicas
// have them before they are acknowledged, and the groups (6 or 9) read them at their own pace.
import type { Broker, OutgoingEvent } from '../messaging/broker.ts';
import type { Log } from '../process/log.ts';
import type { KafkaConnection } from './config.ts';
import { subscribeToKafka } from './consumer.ts';
import { createKafkaLag, type KafkaLag } from './lag.ts';
import { createKafkaPublisher } from './publisher.ts';
import { createKafkaTopics } from './topics.ts';

export type KafkaBroker = Broker & {
  /** Of the groups that this process has subscribed for. */
  lag: Pick<KafkaLag, 'read'>;
};

/**
 * The broker on Apache Kafka. Nothing here waits for Kafka: publishing rejects while it is away,
 * subscriptions begin when it comes.
 *
 * `topics`: name → its name in Kafka; each gets a topic `<name>.dlq` beside it. Those that are
 * missing are created.
 */
export function createKafkaBroker(options: {
  connection: KafkaConnection;
  clientId: string;
  topics: Record<string, string>;
  partitions: number;
  replication: number;
  groupInstanceId?: string;
  publishDeadlineMs?: number;
  log: Log;
}): KafkaBroker {
  const { connection, clientId, groupInstanceId, publishDeadlineMs = 5_000 } = options;
  const log = options.log.child({ station: 'broker' });
  const names = new Map(
    Object.entries(options.topics).flatMap(([name, of]) => [
      [name, of],
      [`${name}.dlq`, `${of}.dlq`],
    ]),
  );
  const topics = createKafkaTopics({ ...options, topics: [...names.values()], log });
  const publisher = createKafkaPublisher({
    connection,
    clientId,
    topics,
    deadlineMs: publishDeadlineMs,
    log,
  });
  const subscriptions = new Set<{ close(): Promise<void> }>();
  const groups = new Map<string, { topic: string; group: string }>();
  const lag = createKafkaLag({ connection, clientId, groups: () => [...groups.values()] });

  function kafkaName(topic: string): string {
    const name = names.get(topic);
    if (name === undefined) throw new Error(`The topic ${topic} is not declared.`);
    return name;
  }

  /** Who finds a dead letter in Kafka must be able to look up there where it came from. */
  function asKafkaNames(letter: OutgoingEvent): OutgoingEvent {
    const source = names.get(letter.headers['dlq-topic'] ?? '');
    return source === undefined
      ? letter
      : { ...letter, headers: { ...letter.headers, 'dlq-topic': source } };
  }

  return {
    lag,
    async publish(topic, events) {
      await publisher.publish(
        kafkaName(topic),
        topic.endsWith('.dlq') ? events.map(asKafkaNames) : events,
      );
    },
    async subscribe({ topic: name, group, eventsMax, handler }) {
      const topic = kafkaName(name);
      groups.set(`${topic}\n${group}`, { topic, group });
      const instance = groupInstanceId === undefined ? {} : { groupInstanceId };
      const member = { connection, clientId, topic, name, group, ...instance };
      const subscription = subscribeToKafka({ member, topics, eventsMax, handler, log });
      subscriptions.add(subscription);
      return {
        async close() {
          subscriptions.delete(subscription);
          await subscription.close();
        },
      };
    },
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.close()));
      await Promise.all([publisher.close(), lag.close()]);
    },
  };
}
