import { randomUUID } from 'node:crypto';
import {
  Admin,
  ConfigResourceTypes,
  Consumer,
  compatibilityPartitioner,
  IncrementalAlterConfigOperationTypes,
  Producer,
} from '@platformatic/kafka';

export type KafkaRecord = {
  partition: number;
  offset: bigint;
  key: string;
  value: Buffer;
  headers: Record<string, string>;
};

const readSeconds = 120;
const latest = -1n;

/**
 * Everything that the topic holds now, with offsets. @throws when it is not read within two minutes
 */
export async function readRecords(bootstrapServers: string, topic: string): Promise<KafkaRecord[]> {
  const ends = await endsOf(bootstrapServers, topic);
  const missing = new Set([...ends].flatMap(([partition, end]) => (end > 0n ? [partition] : [])));
  const records: KafkaRecord[] = [];
  if (missing.size === 0) return records;
  const consumer = new Consumer({
    clientId: 'system-tests',
    groupId: `reader-${randomUUID()}`,
    bootstrapBrokers: bootstrapServers.split(','),
  });
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'earliest',
      autocommit: false,
      maxWaitTime: 200,
    });
    const timer = setTimeout(
      () => stream.destroy(new Error(`${topic} not read in time`)),
      readSeconds * 1_000,
    );
    for await (const { partition, offset, key, value, headers } of stream) {
      const named = [...headers].map(([name, text]): [string, string] => [
        String(name),
        String(text),
      ]);
      records.push({
        partition,
        offset,
        key: String(key ?? ''),
        value,
        headers: Object.fromEntries(named),
      });
      if (offset + 1n >= (ends.get(partition) ?? 0n)) missing.delete(partition);
      if (missing.size === 0) break;
    }
    clearTimeout(timer);
  } finally {
    await consumer.close(true);
  }
  return records;
}

/** Number of events that were ever written to each partition of the topic. */
async function endsOf(bootstrapServers: string, topic: string): Promise<Map<number, bigint>> {
  return withAdmin(bootstrapServers, async (admin) => {
    const count =
      (await admin.metadata({ topics: [topic] })).topics.get(topic)?.partitionsCount ?? 0;
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: latest,
    }));
    const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
    return new Map(
      listed?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]),
    );
  });
}

/** Number of partitions of an existing topic. */
export const partitionsOf = async (bootstrapServers: string, topic: string): Promise<number> =>
  (await endsOf(bootstrapServers, topic)).size;

/** How many partitions each member of a group has; undefined while the group rebalances. */
export async function partitionsOfMembers(
  bootstrapServers: string,
  group: string,
): Promise<number[] | undefined> {
  return withAdmin(bootstrapServers, async (admin) => {
    const found = (await admin.describeGroups({ groups: [group] })).get(group);
    // The client's types say STABLE, Kafka says Stable.
    if (found?.state.toLowerCase() !== 'stable') return undefined;
    const counts = (assignments: Iterable<{ partitions: number[] }> | undefined) =>
      [...(assignments ?? [])].reduce((sum, { partitions }) => sum + partitions.length, 0);
    return [...found.members.values()]
      .map(({ assignments }) => counts(assignments?.values()))
      .sort((a, b) => a - b);
  });
}

/** Those of the topics that exist. */
export async function deleteTopics(
  bootstrapServers: string,
  names: readonly string[],
): Promise<void> {
  await withAdmin(bootstrapServers, async (admin) => {
    const topics = (await admin.listTopics()).filter((topic) => names.includes(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  });
}

/** Lets records of any time into a topic; a broker has a bound of an hour ahead by default. */
export const takeAnyTimestamp = (bootstrapServers: string, topic: string): Promise<void> =>
  withAdmin(bootstrapServers, (admin) =>
    admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configs: [
            {
              name: 'message.timestamp.after.max.ms',
              configOperation: IncrementalAlterConfigOperationTypes.SET,
              value: String(2n ** 63n - 1n),
            },
          ],
        },
      ],
    }),
  );

export type NewRecord = {
  partition?: number;
  key?: string;
  value: Buffer;
  headers?: Record<string, string>;
  /** Now where it is left out. */
  timestamp?: bigint;
};

/** Writes records in order, and gives partition and offset of those whose partition is set. */
export async function produce(
  bootstrapServers: string,
  topic: string,
  records: NewRecord[],
): Promise<{ partition: number; offset: bigint; record: NewRecord }[]> {
  const producer = new Producer({
    clientId: 'system-tests',
    bootstrapBrokers: bootstrapServers.split(','),
    retries: 3,
    partitioner: compatibilityPartitioner,
  });
  const written: { partition: number; offset: bigint; record: NewRecord }[] = [];
  try {
    for (const [partition, ofPartition] of Map.groupBy(records, (record) => record.partition)) {
      const messages = ofPartition.map(({ key, value, headers = {}, timestamp }) => ({
        topic,
        value,
        headers: new Map(
          Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
        ),
        ...(timestamp !== undefined && { timestamp }),
        ...(key !== undefined && { key: Buffer.from(key) }),
        ...(partition !== undefined && { partition }),
      }));
      const { offsets } = await producer.send({ messages, acks: -1 });
      const base = offsets?.find((offset) => offset.partition === partition)?.offset ?? 0n;
      if (partition === undefined) continue;
      ofPartition.forEach(
        (record, n) => void written.push({ partition, offset: base + BigInt(n), record }),
      );
    }
  } finally {
    await producer.close();
  }
  return written;
}

async function withAdmin<T>(
  bootstrapServers: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Admin({
    clientId: 'system-tests',
    bootstrapBrokers: bootstrapServers.split(','),
    requestTimeout: 5_000,
    retries: 1,
  });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}
