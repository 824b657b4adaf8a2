import { Admin, type AdminOptions } from '@platformatic/kafka';
import type { Reader } from './facts.ts';
import { AuditError, type TopicReport } from './report.ts';
import { reasonOf } from './schema.ts';

const latest = -1n;
const requestMs = 5_000;
/** For everything that is asked at once, retries included. */
const readWithinMs = 20_000;

/** A topic, by Kafka's name, and the group that reads it. */
type Reading = { topic: string; group: string };
export type KafkaAccess = {
  connection: Pick<AdminOptions, 'bootstrapBrokers' | 'tls' | 'tlsServerName' | 'sasl'>;
  orderEvents: Reading;
  fulfillmentEvents: Reading;
};

/** Both topics as they are now. */
export type Offsets = { orderEvents: TopicReport; fulfillmentEvents: TopicReport };
export type Kafka = {
  /** Rejects with AuditError when Kafka is away; within 20 s. */
  read(): Promise<Offsets>;
  close(): Promise<void>;
};

export function openKafka({ connection, orderEvents, fulfillmentEvents }: KafkaAccess): Kafka {
  const admin = new Admin({
    ...connection,
    clientId: 'audit',
    connectTimeout: requestMs,
    requestTimeout: requestMs,
    retries: 2,
    retryDelay: 300,
  });
  return {
    async read() {
      const look = Promise.all([
        readTopic(admin, orderEvents),
        readTopic(admin, fulfillmentEvents),
      ]);
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => late.reject(new Error(`no answer within ${readWithinMs / 1_000} s`)),
        readWithinMs,
      );
      try {
        const [ofOrders, ofFulfillments] = await Promise.race([look, late.promise]);
        return { orderEvents: ofOrders, fulfillmentEvents: ofFulfillments };
      } catch (cause) {
        const at = connection.bootstrapBrokers.join(',');
        const remedy = 'Where the system runs without Kafka, say --mode embedded.';
        throw new AuditError(`Kafka at ${at} cannot be read: ${reasonOf(cause)} ${remedy}`, {
          cause,
        });
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => admin.close(),
  };
}

/**
 * What the reader of a topic has done by `now`, for suspicions that arose at `mark` or before.
 * Without a mark it is taken to have read everything, so that all suspicions arise. Pure.
 */
export function readerOf(now: TopicReport, mark: TopicReport | undefined): Reader {
  const committed = new Map(now.partitions.map((one) => [one.partition, one.committed]));
  return {
    isCaughtUp: (mark?.partitions ?? []).every(
      ({ partition, end }) => end === 0 || (committed.get(partition) ?? -1) >= end,
    ),
    committed: (partition) => {
      const offset = committed.get(partition) ?? -1;
      return offset < 0 ? undefined : BigInt(offset);
    },
  };
}

async function readTopic(admin: Admin, { topic, group }: Reading): Promise<TopicReport> {
  const existing = await admin.listTopics();
  const letters = existing.includes(`${topic}.dlq`) ? await endsOf(admin, `${topic}.dlq`) : [];
  const ends = existing.includes(topic) ? await endsOf(admin, topic) : [];
  const partitionIndexes = ends.map(([partition]) => partition);
  const asked = { groupId: group, topics: [{ name: topic, partitionIndexes }] };
  const [listed] =
    ends.length === 0 ? [] : await admin.listConsumerGroupOffsets({ groups: [asked] });
  const offsets = listed?.topics.find(({ name }) => name === topic)?.partitions ?? [];
  const committedAt = new Map(
    offsets.map((one) => [one.partitionIndex, Number(one.committedOffset)]),
  );
  const partitions = ends.map(([partition, end]) => {
    const committed = committedAt.get(partition) ?? -1;
    return { partition, committed, end, lag: Math.max(0, end - Math.max(0, committed)) };
  });
  return {
    topic,
    group,
    lag: partitions.reduce((sum, { lag }) => sum + lag, 0),
    partitions,
    deadLetterRecords: letters.reduce((sum, [, end]) => sum + end, 0),
  };
}

/** Partitions with the offset that the next record will get. */
async function endsOf(admin: Admin, topic: string): Promise<[partition: number, end: number][]> {
  const count = (await admin.metadata({ topics: [topic] })).topics.get(topic)?.partitionsCount ?? 0;
  const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp: latest,
  }));
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
  return (listed?.partitions ?? [])
    .map(({ partitionIndex, offset }): [number, number] => [partitionIndex, Number(offset)])
    .sort(([a], [b]) => a - b);
}
