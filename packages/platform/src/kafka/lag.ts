import { Admin } from '@platformatic/kafka';
import { within } from '../process/deadline.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import type { Metrics } from '../process/metrics.ts';
import type { KafkaConnection } from './config.ts';

/** Scrapes that come closer together than this share one look at Kafka. */
const memoryMs = 2_000;
const readWithinMs = 3_000;
const latest = -1n;
const earliest = -2n;

type Lag = { topic: string; partition: number; group: string; events: number };
export type KafkaLag = {
  /**
   * Events that the groups have not committed yet, from Kafka itself and so right also while no
   * member runs. Bounded: 3 s.
   */
  read(): Promise<Lag[]>;
  close(): Promise<void>;
};

export function createKafkaLag(parts: {
  connection: KafkaConnection;
  clientId: string;
  groups: () => { topic: string; group: string }[];
}): KafkaLag {
  let admin: Admin | undefined;
  let last: { at: number; lags: Promise<Lag[]> } | undefined;
  const giveUp = async (): Promise<void> => {
    const old = admin;
    admin = undefined;
    last = undefined;
    await old?.close();
  };
  const look = async (): Promise<Lag[]> => {
    const { connection, clientId } = parts;
    admin ??= new Admin({
      ...connection,
      clientId,
      connectTimeout: 1_000,
      requestTimeout: 2_000,
      retries: 0,
    });
    const ours = admin;
    try {
      const all = parts.groups().map(({ topic, group }) => lagOf(ours, topic, group));
      return (await within(readWithinMs, 'Reading the consumer lag', Promise.all(all))).flat();
    } catch (error) {
      // A connection that has failed once is not trusted again.
      await giveUp();
      throw error;
    }
  };
  return {
    read() {
      const now = performance.now();
      if (last === undefined || now - last.at > memoryMs) last = { at: now, lags: look() };
      return last.lags;
    },
    close: giveUp,
  };
}

/**
 * Registers `kafka_consumer_lag`; while Kafka cannot be asked the metric is absent, which no alert
 * takes for zero.
 */
export function observeKafkaLag(metrics: Metrics, lag: Pick<KafkaLag, 'read'>, log: Log): void {
  const help = 'Events in Kafka that the group has not committed yet';
  metrics.gauge('kafka_consumer_lag', help, ['topic', 'partition', 'group'], async (gauge) => {
    gauge.reset();
    try {
      for (const { topic, partition, group, events } of await lag.read())
        gauge.set({ topic, partition, group }, events);
    } catch (error) {
      log.debug({ err: messageOf(error) }, 'consumer lag not known');
    }
  });
}

async function lagOf(admin: Admin, topic: string, group: string): Promise<Lag[]> {
  const metadata = await admin.metadata({ topics: [topic] });
  const count = metadata.topics.get(topic)?.partitionsCount ?? 0;
  const partitions = Array.from({ length: count }, (_, partition) => partition);
  const at = async (timestamp: bigint): Promise<Map<number, bigint>> => {
    const wanted = partitions.map((partitionIndex) => ({ partitionIndex, timestamp }));
    const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions: wanted }] });
    return new Map(
      listed?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]),
    );
  };
  const committedAt = async (): Promise<Map<number, bigint>> => {
    const asked = { groupId: group, topics: [{ name: topic, partitionIndexes: partitions }] };
    const [listed] = await admin.listConsumerGroupOffsets({ groups: [asked] });
    const found = listed?.topics.find(({ name }) => name === topic)?.partitions ?? [];
    return new Map(
      found.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
    );
  };
  const [ends, begins, commits] = await Promise.all([at(latest), at(earliest), committedAt()]);
  return partitions.map((partition) => {
    const begin = begins.get(partition) ?? 0n;
    const committed = commits.get(partition) ?? -1n;
    // What was deleted before it was read is lost, but it does not wait; without a commit the group
    // begins with the oldest.
    const next = committed > begin ? committed : begin;
    return { topic, partition, group, events: Number((ends.get(partition) ?? next) - next) };
  });
}
