import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, Message } from '@platformatic/kafka';
import type { IncomingEvent } from '../messaging/broker.ts';
import { within } from '../process/deadline.ts';

const operationWithinMs = 30_000;
const closeWithinMs = 3_000;
/** How often a commit asks whether the membership is certain again. */
const certainEveryMs = 100;

/** What arrives for one assignment of partitions. */
export type AssignedStream = {
  /** False from the next rebalance on, and when reading or the membership has failed. */
  isCurrent(): boolean;
  /** What is there, without waiting; the event that reaches `maxBytes` is the last one. */
  take(eventsMax: number, maxBytes: number): IncomingEvent[];
  /**
   * Commits the batch, unless a rebalance came first: then others may be further already, and what
   * was handled here is read again. So commits never go backwards. Rejects when Kafka does not take
   * it.
   */
  commit(batch: IncomingEvent[]): Promise<void>;
  /** Rejects with what ended the stream, if anything but this did. */
  close(): Promise<void>;
};

/** What the stream must know of the membership that it belongs to. */
export type Assignment = {
  /** Kafka's name of the topic; `name` is what its events are called. */
  topic: string;
  name: string;
  isCurrent: () => boolean;
  /** False while the last sign that Kafka counts us in is older than a session. */
  isCertain: () => boolean;
  onChange: () => void;
};

/**
 * Begins to read the assigned partitions at their last commit. Where there is none the oldest
 * offset is committed first: without it a partition that is lost and regained would not be read
 * again.
 */
export async function openAssignedStream(
  consumer: Consumer,
  assignment: Assignment,
): Promise<AssignedStream> {
  const { topic, name, isCertain, onChange } = assignment;
  await within(operationWithinMs, 'Committing start offsets', commitStart(consumer, topic));
  const stream = await within(
    operationWithinMs,
    'Opening the stream',
    consumer.consume(streamOptions(topic)),
  );
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  let failure: Error | undefined;
  stream.on('readable', onChange);
  stream.on('error', (error) => {
    failure = error;
    onChange();
  });
  stream.once('close', onChange);
  const isCurrent = (): boolean =>
    assignment.isCurrent() && failure === undefined && !stream.destroyed;

  return {
    isCurrent,
    take(eventsMax, maxBytes) {
      const batch: IncomingEvent[] = [];
      let bytes = 0;
      while (batch.length < eventsMax && bytes < maxBytes) {
        const message: Raw | null = stream.read();
        if (message === null) break;
        const event = toEvent(name, message);
        bytes += event.value.length;
        batch.push(event);
      }
      return batch;
    },
    async commit(batch) {
      // Ends, because without heartbeats the membership fails. A process that was stopped for a
      // while learns here that others took over.
      while (isCurrent() && !isCertain()) await delay(certainEveryMs);
      if (!isCurrent()) return;
      const next = new Map<number, bigint>();
      for (const { partition, offset } of batch) next.set(partition, offset + 1n);
      const offsets = [...next].map(([partition, offset]) => toCommit(topic, partition, offset));
      await within(operationWithinMs, 'Committing offsets', consumer.commit({ offsets }));
    },
    async close() {
      const ended = failure;
      stream.destroy();
      await within(closeWithinMs, 'Closing the stream', closed);
      if (ended !== undefined) throw ended;
    },
  };
}

type Raw = Message<Buffer, Buffer, Buffer, Buffer>;

/** The stream's own defaults begin with what comes next, and buffer 50 MB of it. */
function streamOptions(topic: string) {
  return {
    topics: [topic],
    mode: 'committed' as const,
    fallbackMode: 'earliest' as const,
    autocommit: false,
    // Counts events and not bytes: the stream fetches on while fewer than these are buffered, and
    // one may have 100 KB.
    highWaterMark: 64,
    maxBytes: 1_000_000,
    maxBytesPerPartition: 256_000,
    maxWaitTime: 300,
  };
}

async function commitStart(consumer: Consumer, topic: string): Promise<void> {
  const partitions =
    consumer.assignments?.find((assigned) => assigned.topic === topic)?.partitions ?? [];
  if (partitions.length === 0) return;
  const committed =
    (await consumer.listCommittedOffsets({ topics: [{ topic, partitions }] })).get(topic) ?? [];
  const without = partitions.filter((partition) => (committed[partition] ?? -1n) < 0n);
  if (without.length === 0) return;
  const asked = { topics: [topic], partitions: { [topic]: without }, timestamp: -2n };
  const oldest = (await consumer.listOffsets(asked)).get(topic) ?? [];
  const offsets = without.map((partition) => toCommit(topic, partition, oldest[partition] ?? 0n));
  await consumer.commit({ offsets });
}

const toCommit = (topic: string, partition: number, offset: bigint) => ({
  topic,
  partition,
  offset,
  leaderEpoch: -1,
});

function toEvent(
  name: string,
  { partition, offset, key, value, headers, timestamp }: Raw,
): IncomingEvent {
  return {
    topic: name,
    partition,
    offset,
    key: key?.toString('utf8'),
    value: value ?? Buffer.alloc(0),
    headers: Object.fromEntries(
      [...headers].map(([k, v]) => [k.toString('utf8'), v?.toString('utf8') ?? '']),
    ),
    publishedAt: momentOf(timestamp),
  };
}

const clockSkewMaxMs = 3_600_000;

/**
 * The time of a record, for people: one that cannot be true (microseconds, nanoseconds, -1 where a
 * broker keeps none) becomes the time of reading.
 */
export function momentOf(timestamp: bigint): Date {
  const ms = Number(timestamp);
  const now = Date.now();
  return new Date(ms >= 0 && ms <= now + clockSkewMaxMs ? ms : now);
}
