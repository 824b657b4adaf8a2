// Station 3 of 9: place. From validation (2) comes an order; its row, its event and its idempotency
// key are committed together with those of its neighbours; then the answer leaves and the event
// goes to the relay (4).
import { setTimeout as delay } from 'node:timers/promises';
import type { NewOrder, PlacedOrder } from '@orders/contracts/orders/api';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import type { OutboxRelay } from '@orders/platform/messaging/outbox-relay';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { wasNeverSent, whatFailed } from '@orders/platform/postgres/database';
import { type Batcher, createBatcher, QueueFull } from '@orders/platform/process/batcher';
import { CodedError } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { type Placement, toPlacement } from '../order.ts';
import { compareKeys, contentHash, type IdempotencyKey } from './idempotency.ts';
import type { KeyedPlacement, OrderStore, PlaceAs } from './placing-store.ts';

/**
 * Larger batches gain nothing more (measured), and one must be stored well within the statement
 * timeout.
 */
const batchItemsMax = 256;
const batchBytesMax = 4_000_000;
/**
 * Orders that may wait for a commit; beyond this the API answers 503 instead of growing its memory.
 */
const queueMax = 4_000;
const queueBytesMax = 32_000_000;
const conflictRetriesMax = 3;
/** An order whose commit has no verdict is asked for during this time; then the answer is 503. */
const verdictMs = 1_500;
const verdictRetryMs = 100;

export type PlaceOrder = {
  /**
   * Stores the order durably (fsync) and resolves to the answer. With a key that was used before
   * for the same content it resolves to the first answer, `isRepeat`. Rejects with CodedError:
   * idempotency_key_reused, idempotency_in_progress, overloaded, store_unavailable. After the
   * latter the order may exist all the same: a retry needs a key.
   */
  place(
    order: NewOrder,
    options: { key?: IdempotencyKey; correlationId: string; traceparent: string | null },
  ): Promise<Placed>;
  /** Commits what waits and takes nothing more. */
  close(): Promise<void>;
};

export type Placed = PlacedOrder & { isRepeat: boolean };

export function createPlaceOrder(parts: {
  store: OrderStore;
  relay: OutboxRelay;
  instance: string;
  topic?: string;
  log: Log;
}): PlaceOrder {
  const { store, relay, instance, topic = orderEventsTopic } = parts;
  const log = parts.log.child({ station: 'place' });
  // Two lanes: a key that another instance holds must not keep waiting those who have none.
  const plainLane = lane<Placement>('place', async (batch) => {
    const as = placeAs();
    await storeOnce(batch, () => store.place(batch, as));
    // I1: the statement is committed; only now may an order be answered as accepted.
    return batch.map((placement) => accepted(placement, as));
  });
  const keyedLane = lane<KeyedPlacement>('place with key', async (batch) => {
    const as = placeAs();
    const sorted = batch.toSorted(compareKeys);
    const winners = await storeOnce(batch, () => store.placeKeyed(sorted, as));
    const won = batch.filter(({ orderId }) => winners.has(orderId));
    const firstAnswers = won.length === batch.length ? [] : await store.knownKeys(batch);
    return batch.map((p) =>
      winners.has(p.orderId) ? accepted(p, as) : answerAgain(p, firstAnswers),
    );
  });

  function lane<P extends Placement>(
    name: string,
    store: (batch: P[]) => Promise<Answer[]>,
  ): Batcher<P, Answer> {
    return createBatcher<P, Answer>({
      name,
      itemsMax: batchItemsMax,
      bytesMax: batchBytesMax,
      bytesOf: ({ payload, itemsJson }) => payload.length + itemsJson.length,
      queueMax,
      queueBytesMax,
      splitOn: (error) => whatFailed(error) === 'data' || whatFailed(error) === 'lock',
      flush: async (batch) => {
        const began = performance.now();
        const answers = await store(batch);
        handOver(batch, answers, Math.round(performance.now() - began));
        return answers;
      },
    });
  }

  function placeAs(): PlaceAs {
    return { instance, topic, claimMs: relay.isHot ? relay.claimMs : null };
  }

  /**
   * Carries out a placing statement; without a verdict it asks which orders exist. Resolves to
   * those that do.
   */
  async function storeOnce(
    batch: Placement[],
    run: () => Promise<Set<string>>,
  ): Promise<Set<string>> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await run();
      } catch (error) {
        const failure = whatFailed(error);
        if (failure === 'conflict' && retries < conflictRetriesMax) continue;
        if (failure !== 'unavailable' || wasNeverSent(error)) throw error;
        // I14: the commit may have succeeded, so the database is asked before the answer leaves.
        const existing = await askForVerdict(batch, error);
        if (existing.size === 0) throw error;
        log.info({ orders: [...existing] }, 'commit without verdict found');
        return existing;
      }
    }
  }

  async function askForVerdict(batch: Placement[], cause: unknown): Promise<Set<string>> {
    const deadline = performance.now() + verdictMs;
    for (;;) {
      try {
        return await store.existing(batch.map(({ orderId }) => orderId));
      } catch {
        // Still away: asked again until the deadline, then the first error is the answer.
        if (performance.now() > deadline) throw cause;
        await delay(verdictRetryMs);
      }
    }
  }

  function handOver(batch: Placement[], answers: Answer[], durationMs: number): void {
    const created = batch.filter((_, i) => answers[i]?.kind === 'accepted');
    if (created.length === 0) return;
    // One batch is hot or cold as a whole.
    if (answers.some(({ isHot }) => isHot === true)) relay.offer(created.map(toOutboxRow));
    log.info(
      {
        orders: created.map(({ orderId, correlationId }) => ({ orderId, correlationId })),
        durationMs,
      },
      'orders created',
    );
  }

  function toOutboxRow(placement: Placement): OutboxRow {
    const { orderId, eventId, payload, correlationId, traceparent } = placement;
    return {
      topic,
      key: orderId,
      sequence: 1,
      eventId,
      eventType: 'OrderCreated',
      payload,
      correlationId,
      traceparent,
    };
  }

  return {
    async place(order, { key, correlationId, traceparent }) {
      const placement = toPlacement(order, { correlationId, traceparent });
      try {
        const added =
          key === undefined
            ? plainLane.add(placement)
            : keyedLane.add({ ...placement, ...key, hash: contentHash(order) });
        return toPlaced(await added);
      } catch (error) {
        throw toCodedError(error, key !== undefined);
      }
    },
    async close() {
      await Promise.all([plainLane.close(), keyedLane.close()]);
    },
  };
}

type Answer = { isHot?: boolean } & (
  | { kind: 'accepted' | 'repeated'; orderId: string; status: PlacedOrder['status'] }
  | { kind: 'reused' }
  | { kind: 'unknown' }
);

function accepted({ orderId }: Placement, { claimMs }: PlaceAs): Answer {
  const isHot = claimMs !== null;
  return { kind: 'accepted', orderId, status: isHot ? 'Created' : 'Pending', isHot };
}

function answerAgain(
  { scope, key, hash }: KeyedPlacement,
  known: Awaited<ReturnType<OrderStore['knownKeys']>>,
): Answer {
  const first = known.find((k) => k.scope === scope && k.key === key);
  // The winner's row is gone: its transaction was rolled back after we had waited for it, or it has
  // just expired.
  if (first === undefined) return { kind: 'unknown' };
  if (first.hash !== hash) return { kind: 'reused' };
  return {
    kind: 'repeated',
    orderId: first.orderId,
    status: first.status === 'Pending' ? 'Pending' : 'Created',
  };
}

function toPlaced(answer: Answer): Placed {
  if (answer.kind === 'reused') {
    throw new CodedError(
      'idempotency_key_reused',
      'The key belongs to an order with other content; use a new key.',
    );
  }
  if (answer.kind === 'unknown') throw inProgress();
  return { orderId: answer.orderId, status: answer.status, isRepeat: answer.kind === 'repeated' };
}

const inProgress = (): CodedError =>
  new CodedError('idempotency_in_progress', 'Ask again in a moment.', { retryAfterSeconds: 1 });

function toCodedError(error: unknown, hasKey: boolean): unknown {
  if (error instanceof CodedError) return error;
  if (error instanceof QueueFull)
    return new CodedError('overloaded', 'Too many orders wait to be stored; try again.');
  const failure = whatFailed(error);
  if (failure === 'lock' && hasKey) return inProgress();
  if (failure === 'data') {
    const detail = 'The database cannot keep a value of the order.';
    return new CodedError('validation_failed', detail, {
      cause: error,
      errors: [{ pointer: '', detail }],
    });
  }
  if (failure === 'bug') return error;
  return new CodedError(
    'store_unavailable',
    'The order could not be stored now; retry with an Idempotency-Key.',
  );
}
