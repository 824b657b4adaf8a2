import { compatibilityPartitioner, findErrorBy, Producer } from '@platformatic/kafka';
import { type OutgoingEvent, RefusedEvent } from '../messaging/broker.ts';
import { DeadlinePassed, within } from '../process/deadline.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { clockDifference, sharedNow } from '../process/wall-clock.ts';
import type { KafkaConnection } from './config.ts';
import { withReason } from './reason.ts';
import type { KafkaTopics } from './topics.ts';

/**
 * All events of one request for one partition become one batch, and a broker takes batches up to 1
 * MB.
 */
const requestBytesMax = 900_000;
/** What a record costs beside its key, value and headers. */
const recordBytes = 32;
/**
 * Publishes that may wait for the one in flight; the relay that publishes here has a queue of its
 * own.
 */
const waitingMax = 1_000;
const closeWithinMs = 3_000;

/**
 * Answers of Kafka that concern the event itself. A right that is missing concerns the topic: its
 * events wait until it is granted.
 */
const refusals = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'];

export type KafkaPublisher = {
  /** As `Broker.publish`, with Kafka's name of the topic. */
  publish(topic: string, events: OutgoingEvent[]): Promise<void>;
  close(): Promise<void>;
};

/**
 * Publishes in order, one request at a time, acknowledged by all in-sync replicas. A request that
 * outlasts the deadline cannot be taken back: its producer is given up, and it may still be
 * written.
 */
export function createKafkaPublisher(parts: {
  connection: KafkaConnection;
  clientId: string;
  topics: KafkaTopics;
  deadlineMs: number;
  log: Log;
}): KafkaPublisher {
  const { deadlineMs, topics, log } = parts;
  let producer: Producer | undefined;
  let turn: Promise<void> = Promise.resolve();
  let waiting = 0;
  let isClosed = false;

  // Each turn ends with its own deadline at the latest, so whoever waits gets its turn before its
  // own.
  async function inTurn(work: () => Promise<void>): Promise<void> {
    const before = turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    turn = promise;
    waiting += 1;
    try {
      await before;
      await work();
    } finally {
      waiting -= 1;
      resolve();
    }
  }

  async function sendAll(topic: string, events: OutgoingEvent[], until: number): Promise<void> {
    await bounded(until, topics.ensure());
    for (const request of requestsOf(events)) {
      producer ??= createProducer(parts.connection, parts.clientId);
      const messages = request.map((event) => toMessage(topic, event));
      try {
        await bounded(until, producer.send({ messages }));
      } catch (error) {
        throw classified(error);
      }
    }
  }

  async function bounded<T>(until: number, work: Promise<T>): Promise<T> {
    try {
      const leftMs = until - performance.now();
      return await within(Math.max(0, isClosed ? 0 : leftMs), 'Publishing to Kafka', work);
    } catch (error) {
      if (error instanceof DeadlinePassed) giveUpProducer();
      throw error;
    }
  }

  function classified(error: unknown): Error {
    const cause = error as Error;
    if (/Unknown topic/.test(messageOf(error))) topics.forget();
    const refusal = refusals.find((apiId) => findErrorBy(cause, 'apiId', apiId) !== null);
    return refusal === undefined
      ? withClock(withReason(error))
      : new RefusedEvent(`Kafka refuses the event: ${refusal}`, cause);
  }

  function giveUpProducer(): void {
    const late = producer;
    producer = undefined;
    late
      ?.close()
      .catch((error) => log.debug({ err: messageOf(error) }, 'a producer was not closed in order'));
  }

  return {
    publish(topic, events) {
      if (events.length === 0) return Promise.resolve();
      if (isClosed) return Promise.reject(new Error('The Kafka publisher is closed.'));
      if (waiting >= waitingMax)
        return Promise.reject(new Error('Too many publishes wait for Kafka.'));
      const until = performance.now() + deadlineMs;
      return inTurn(() => sendAll(topic, events, until));
    },
    async close() {
      isClosed = true;
      const last = producer;
      producer = undefined;
      if (last !== undefined)
        await within(closeWithinMs, 'Closing the Kafka producer', last.close());
    },
  };
}

/**
 * A producer that gives up in time: left unset, `retries` of an idempotent producer become endless
 * and a send hangs through an outage. The key's hash is the Java client's, so that foreign
 * producers put an order's events into the same partition.
 */
function createProducer(connection: KafkaConnection, clientId: string): Producer {
  return new Producer({
    ...connection,
    clientId,
    idempotent: true,
    retries: 2,
    retryDelay: 200,
    connectTimeout: 1_500,
    requestTimeout: 3_000,
    timeout: 2_500,
    partitioner: compatibilityPartitioner,
  });
}

/** Kafka takes no record from far ahead, and says only that the error was unexpected. */
function withClock(error: Error): Error {
  const aheadSeconds = clockDifference();
  if (aheadSeconds === undefined) return error;
  const differs = `the clock of this machine is ${aheadSeconds} s ahead of PostgreSQL's`;
  return new Error(`${error.message} (${differs})`, { cause: error });
}

function toMessage(topic: string, { key, value, headers }: OutgoingEvent) {
  const named = Object.entries(headers).map(
    ([name, text]) => [Buffer.from(name), Buffer.from(text)] as const,
  );
  return {
    topic,
    timestamp: BigInt(sharedNow()),
    key: Buffer.from(key),
    value: Buffer.from(value as string),
    headers: new Map(named),
  };
}

/**
 * In order, each below the size of a batch; an event that is larger goes alone, for Kafka to judge.
 */
function requestsOf(events: OutgoingEvent[]): OutgoingEvent[][] {
  const requests: OutgoingEvent[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const event of events) {
    const size = bytesOf(event);
    if (bytes + size > requestBytesMax) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)?.push(event);
    bytes += size;
  }
  return requests;
}

function bytesOf({ key, value, headers }: OutgoingEvent): number {
  let bytes = recordBytes + Buffer.byteLength(key) + Buffer.byteLength(value);
  for (const [name, text] of Object.entries(headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text) + 8;
  return bytes;
}
