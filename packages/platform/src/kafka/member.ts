import { Consumer } from '@platformatic/kafka';
import { within } from '../process/deadline.ts';
import type { KafkaConnection } from './config.ts';
import { closeWithoutLeaving, endWhenReplaced, MembershipLost } from './static-member.ts';
import { type AssignedStream, openAssignedStream } from './stream.ts';

/** A killed member is missed after this; the others take over within it and a second or two. */
const sessionMs = 6_000;
/**
 * A static member keeps its partitions when it is back within this, so it must outlast a restart.
 */
const staticSessionMs = 30_000;
const heartbeatMs = 1_000;
/**
 * Members rejoin from their heartbeat, whatever their handler does; who has not by then is left
 * out. The client wants no less than a session.
 */
const rebalanceMs = (lastsMs: number): number => Math.max(10_000, lastsMs);
/** Longer than a join may block, or joins would time out while another member is awaited. */
const requestMs = (lastsMs: number): number => rebalanceMs(lastsMs) + 2_000;
const joinWithinMs = (lastsMs: number): number => rebalanceMs(lastsMs) + 20_000;
/**
 * As long as heartbeats may fail before the membership is given up: one that outlives an outage
 * spares the group a rebalance.
 */
const stallMs = 120_000;
const closeWithinMs = 3_000;

export type MemberOptions = {
  connection: KafkaConnection;
  clientId: string;
  /** Kafka's name of the topic; `name` is what its events are called. */
  topic: string;
  name: string;
  group: string;
  groupInstanceId?: string;
};

/** One membership of a consumer group. */
export type GroupMember = {
  /**
   * Begins to read what is assigned now. Rejects when Kafka does not answer within 30 s, or the
   * membership is lost.
   */
  openStream(): Promise<AssignedStream>;
  /** Throws what ended the membership, if anything did. */
  assertAlive(): void;
  /** A static member leaves its place reserved. Bounded; never rejects. */
  leave(): Promise<void>;
};

/**
 * Joins the group, within 30 s, a static member within 50 s. `onChange` is called whenever there
 * may be something to take or a stream may have ended; `signal` ends the joining.
 */
export async function joinKafkaGroup(
  options: MemberOptions,
  { onChange, signal }: { onChange: () => void; signal: AbortSignal },
): Promise<GroupMember> {
  const { topic, name, groupInstanceId } = options;
  const isStatic = groupInstanceId !== undefined;
  const lastsMs = isStatic ? staticSessionMs : sessionMs;
  const consumer = createConsumer(options, lastsMs);
  let generation = 0;
  let joinedAt = 0;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    onChange();
  };
  consumer.on('consumer:group:join', () => {
    generation += 1;
    joinedAt = Date.now();
    onChange();
  });
  // After these the client sends no more heartbeats, or nobody answers them: only a new membership
  // helps.
  consumer.on('error', fail);
  consumer.on('consumer:heartbeat:stalled', () =>
    fail(new Error('Kafka does not answer heartbeats.')),
  );
  const isCertain = (): boolean => {
    const heard = Math.max(joinedAt, consumer.lastHeartbeat?.getTime() ?? 0);
    return Date.now() - heard < lastsMs;
  };
  const assertAlive = (): void => {
    if (failure !== undefined) throw failure;
  };
  // Who cannot say good-bye is missed after the session.
  const end = (): Promise<void> =>
    isStatic ? closeWithoutLeaving(consumer) : consumer.close(true);
  const leave = (): Promise<void> => within(closeWithinMs, 'Leaving the group', end()).catch(fail);
  if (isStatic) {
    endWhenReplaced(consumer, () => {
      fail(new MembershipLost(groupInstanceId));
      // At once, or the client joins again.
      void leave();
    });
  }

  // Counted once more than there are streams, so that closing one does not unsubscribe and opening
  // one does not join again.
  consumer.topics.track(topic);
  try {
    await within(
      joinWithinMs(lastsMs),
      'Joining the group',
      unlessAborted(signal, consumer.joinGroup()),
    );
  } catch (error) {
    await leave();
    throw error;
  }
  return {
    async openStream() {
      assertAlive();
      const current = generation;
      const isCurrent = (): boolean =>
        failure === undefined && consumer.memberId !== null && generation === current;
      return openAssignedStream(consumer, { topic, name, isCurrent, isCertain, onChange });
    },
    assertAlive,
    leave,
  };
}

function createConsumer(options: MemberOptions, lastsMs: number): Consumer {
  const { connection, clientId, group, groupInstanceId } = options;
  return new Consumer({
    ...connection,
    clientId,
    groupId: group,
    ...(groupInstanceId !== undefined && { groupInstanceId }),
    sessionTimeout: lastsMs,
    heartbeatInterval: heartbeatMs,
    rebalanceTimeout: rebalanceMs(lastsMs),
    heartbeatStallTimeout: stallMs,
    connectTimeout: 1_500,
    requestTimeout: requestMs(lastsMs),
    // Without end (`true`) listing offsets asks a leader that has moved for ever. With an end the
    // stream dies in an outage, while heartbeats go on: then it must be opened again.
    retries: 3,
    retryDelay: 300,
  });
}

/** As `work`, but rejects as soon as the signal aborts. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
