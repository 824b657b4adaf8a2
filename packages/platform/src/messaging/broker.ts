/**
 * The seam between the services and what carries their events: Apache Kafka, or the in-process
 * broker of the embedded default. This file is the whole contract; `broker.exam.ts` examines every
 * implementation.
 *
 * Delivery is at least once. Events with the same key arrive in the order in which they were
 * published as long as nothing fails; after a failure copies and older events may follow newer
 * ones, so readers go by the sequence in the event.
 */
export type OutgoingEvent = {
  /** Decides the partition; events with the same key keep their order. */
  key: string;
  /** UTF-8 JSON, at most about 900 kB; larger ones are refused for good. */
  value: string | Buffer;
  headers: Record<string, string>;
};

export type IncomingEvent = {
  topic: string;
  partition: number;
  /** Grows within a partition; never comes twice for different events. */
  offset: bigint;
  key: string | undefined;
  value: Buffer;
  headers: Record<string, string>;
  /** By the clock of who published it. */
  publishedAt: Date;
};

/**
 * Handles a batch that may span partitions, at most `eventsMax` long, in order within each
 * partition. When it resolves, the batch is done with for good (its offsets are committed); when it
 * rejects, the same events come again, later. A handler must be idempotent, and must never wait for
 * a publish or for a free worker: publisher and consumer would wait for each other.
 */
export type BatchHandler = (events: IncomingEvent[]) => Promise<void>;

export type Subscription = {
  /** Takes no further batch, waits for the one in hand (bounded), leaves the group. */
  close(): Promise<void>;
};

export type Broker = {
  /**
   * Resolves when every event is durable: acknowledged by the in-sync replicas, or committed by
   * every declared group. Rejects at the latest after the broker's publish deadline; some or all of
   * the events may have been delivered all the same. A retry delivers copies. Rejects with
   * `RefusedEvent` when the broker will never take one of the events.
   */
  publish(topic: string, events: OutgoingEvent[]): Promise<void>;
  /**
   * Attaches a member to a consumer group of a topic. Several members of one group share the
   * partitions, each group gets every event, a new group begins with the oldest event that is kept.
   */
  subscribe(options: {
    topic: string;
    group: string;
    eventsMax: number;
    handler: BatchHandler;
  }): Promise<Subscription>;
  /** Closes all subscriptions, then the connection; rejects what is still being published. */
  close(): Promise<void>;
};

/**
 * The broker refuses these events for good (too large, not authorised): sending them again is
 * pointless.
 */
export class RefusedEvent extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RefusedEvent';
  }
}
