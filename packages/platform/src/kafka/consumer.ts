import { setTimeout as delay } from 'node:timers/promises';
import type { BatchHandler, IncomingEvent, Subscription } from '../messaging/broker.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createWakeableSleep } from '../process/wakeable-sleep.ts';
import { joinKafkaGroup, type MemberOptions } from './member.ts';
import { withReason } from './reason.ts';
import { isPlaceTaken, MembershipLost } from './static-member.ts';
import type { AssignedStream } from './stream.ts';
import type { KafkaTopics } from './topics.ts';

const backoffMinMs = 200;
/** Short, for it adds to an outage of Kafka. */
const rejoinBackoffMaxMs = 2_000;
const handlerBackoffMaxMs = 5_000;
/**
 * Streams of one membership that may fail in a row before the group is joined anew; a minute and
 * more.
 */
const failuresMax = 30;
/**
 * What is being handled when the subscription closes gets this long; then it is left to the next
 * member.
 */
const closeMs = 5_000;
/** How often a static member that was replaced looks whether its place is free again. */
const standByMs = 5_000;
/** Nothing depends on this: every change rings. It bounds the wait should a ring ever be missed. */
const idleMs = 1_000;
/** A batch is closed by the event that exceeds this; events of one order may have 100 KB. */
const batchBytesMax = 2_000_000;

/**
 * Keeps one member of a consumer group attached to a topic: batches go to the handler and then
 * their offsets are committed. A batch that the handler rejects comes again, with backoff, while
 * the member stays in its group; only a rebalance takes it away, and then whoever has its
 * partitions reads it again from the last commit.
 */
export function subscribeToKafka(parts: {
  member: MemberOptions;
  topics: KafkaTopics;
  eventsMax: number;
  handler: BatchHandler;
  log: Log;
}): Subscription {
  const { member: options, topics, eventsMax, handler } = parts;
  const log = parts.log.child({ topic: options.topic, group: options.group });
  const stopping = new AbortController();
  const idle = createWakeableSleep(stopping.signal);
  const backoff = { ms: backoffMinMs };
  let wasFailing = false;
  let failures = 0;
  let isReplaced = false;

  /** One line when it begins to fail, one when it works again. */
  function logTurn(error?: unknown): void {
    const isFailing = error !== undefined;
    if (!isFailing) {
      backoff.ms = backoffMinMs;
      failures = 0;
    }
    const line = { err: isFailing ? messageOf(withReason(error)) : undefined };
    if (isFailing && wasFailing) log.debug(line, 'consuming from Kafka still fails');
    else if (isFailing) log.warn(line, 'consuming from Kafka fails, trying again');
    else if (wasFailing) log.info('consuming from Kafka works again');
    wasFailing = isFailing;
  }

  async function attendUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await topics.ensure();
        if (isReplaced) await standBy();
        isReplaced = false;
        await attend();
      } catch (error) {
        isReplaced ||= error instanceof MembershipLost;
        if (!(error instanceof MembershipLost)) await afterFailure(error);
      }
    }
  }

  /**
   * Until no other process has this static member's place: the last one to join has it, so joining
   * again would throw that one out.
   */
  async function standBy(): Promise<void> {
    const { groupInstanceId = '' } = options;
    const place = { ...options, groupInstanceId };
    for (let looks = 0; !stopping.signal.aborted && (await isPlaceTaken(place)); looks += 1) {
      if (looks === 0)
        log.warn(
          { groupInstanceId },
          'another process has the same KAFKA_GROUP_INSTANCE_ID, waiting until it is gone',
        );
      await pause(standByMs, () => true);
    }
  }

  async function afterFailure(error: unknown): Promise<void> {
    if (stopping.signal.aborted) return;
    failures += 1;
    logTurn(error);
    if (/Unknown topic/.test(messageOf(error))) topics.forget();
    await pause(backoff.ms, () => true);
    backoff.ms = Math.min(rejoinBackoffMaxMs, backoff.ms * 2);
  }

  /**
   * One membership, until the subscription closes; rejects when it is lost. A stream that fails is
   * opened again on the same membership: a new one would cost the group a rebalance.
   */
  async function attend(): Promise<void> {
    const member = await joinKafkaGroup(options, {
      onChange: () => idle.wake(),
      signal: stopping.signal,
    });
    failures = 0;
    try {
      while (!stopping.signal.aborted && failures < failuresMax) {
        try {
          await topics.ensure();
          await consume(await member.openStream());
        } catch (error) {
          member.assertAlive();
          await afterFailure(error);
        }
        member.assertAlive();
      }
    } finally {
      await member.leave();
    }
  }

  /** Reads until a rebalance or the end; rejects when the stream fails. */
  async function consume(stream: AssignedStream): Promise<void> {
    try {
      while (stream.isCurrent() && !stopping.signal.aborted) {
        const batch = stream.take(eventsMax, batchBytesMax);
        if (batch.length === 0) await idle.sleep(idleMs);
        // I5: the handler has stored the batch; only now may its offsets be committed.
        else if (await handled(batch, () => stream.isCurrent())) await stream.commit(batch);
        if (stream.isCurrent()) logTurn();
      }
    } finally {
      await stream.close();
    }
  }

  /** True when the handler has taken the batch; false when it is no longer ours to retry. */
  async function handled(batch: IncomingEvent[], isOurs: () => boolean): Promise<boolean> {
    let backoffMs = backoffMinMs;
    for (;;) {
      try {
        await handler(batch);
        return true;
      } catch (error) {
        log.warn(
          { events: batch.length, err: messageOf(error), backoffMs },
          'batch not handled, it comes again',
        );
      }
      await pause(backoffMs, isOurs);
      if (!isOurs() || stopping.signal.aborted) return false;
      backoffMs = Math.min(handlerBackoffMaxMs, backoffMs * 2);
    }
  }

  /** Every arrival wakes `idle`; this sleep ends early only where going on makes no sense. */
  async function pause(ms: number, isOurs: () => boolean): Promise<void> {
    const until = performance.now() + ms;
    while (isOurs() && !stopping.signal.aborted && performance.now() < until) {
      await idle.sleep(until - performance.now());
    }
  }

  const attending = attendUntilStopped();
  return {
    async close() {
      stopping.abort();
      const timer = new AbortController();
      await Promise.race([attending, delay(closeMs, undefined, { signal: timer.signal })]).finally(
        () => timer.abort(),
      );
    },
  };
}
