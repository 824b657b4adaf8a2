// Station 3 of 9: place. From validation (2) comes an order; its row, its event and its idempotency
// key are committed together with those of its neighbours; then the answer leaves and the event
// goes to the relay (4).
import type { NewOrder } from '@orders/contracts/orders/api';
import type { OutboxRelay } from '@orders/platform/messaging/outbox-relay';
import { whatFailed } from '@orders/platform/postgres/database';
import { type Batcher, createBatcher } from '@orders/platform/process/batcher';
import type { Log } from '@orders/platform/process/log';
import { createCommitVerdict } from './commit-verdict.ts';
import { compareKeys, contentHash, type IdempotencyKey } from './idempotency.ts';
import {
  type Answer,
  accepted,
  answerAgain,
  type Placed,
  toCodedError,
  toPlaced,
} from './placed-answer.ts';
import { type Placement, toPlacement } from './placement.ts';
import type { KeyedPlacement, PlaceAs, PlacingStore } from './placing-store.ts';

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

export function createPlaceOrder(parts: {
  store: PlacingStore;
  relay: OutboxRelay;
  instance: string;
  log: Log;
}): PlaceOrder {
  const { store, relay, instance } = parts;
  const log = parts.log.child({ station: 'place' });
  const commit = createCommitVerdict({ store, log });
  // Two queues: an order that waits for its key must not delay orders without one.
  const plain = queueOf<Placement>('place', async (batch) => {
    const as = placeAs();
    await commit(batch, () => store.place(batch, as));
    // I1: the statement is committed; only now may an order be answered as accepted.
    return batch.map((placement) => accepted(placement, as));
  });
  const keyed = queueOf<KeyedPlacement>('place with key', async (batch) => {
    const as = placeAs();
    const sorted = batch.toSorted(compareKeys);
    const winners = await commit(batch, () => store.placeKeyed(sorted, as));
    const won = batch.filter(({ orderId }) => winners.has(orderId));
    const firstAnswers = won.length === batch.length ? [] : await store.knownKeys(batch);
    return batch.map((p) =>
      winners.has(p.orderId) ? accepted(p, as) : answerAgain(p, firstAnswers),
    );
  });

  function queueOf<P extends Placement>(
    name: string,
    placeBatch: (batch: P[]) => Promise<Answer[]>,
  ): Batcher<P, Answer> {
    return createBatcher<P, Answer>({
      name,
      itemsMax: batchItemsMax,
      bytesMax: batchBytesMax,
      bytesOf: ({ event, itemsJson }) => (event.payload?.length ?? 0) + itemsJson.length,
      queueMax,
      queueBytesMax,
      splitOn: (error) => whatFailed(error) === 'data' || whatFailed(error) === 'lock',
      flush: async (batch) => {
        const began = performance.now();
        const answers = await placeBatch(batch);
        handOver(batch, answers, Math.round(performance.now() - began));
        return answers;
      },
    });
  }

  function placeAs(): PlaceAs {
    return { instance, claimMs: relay.isHot ? relay.claimMs : null };
  }

  function handOver(batch: Placement[], answers: Answer[], durationMs: number): void {
    const created = batch.filter((_, i) => answers[i]?.kind === 'accepted');
    if (created.length === 0) return;
    // One batch is hot or cold as a whole.
    if (answers.some(({ isHot }) => isHot === true)) relay.offer(created.map(({ event }) => event));
    log.info(
      {
        orders: created.map(({ orderId, correlationId }) => ({ orderId, correlationId })),
        durationMs,
      },
      'orders created',
    );
  }

  return {
    async place(order, { key, correlationId, traceparent }) {
      const placement = toPlacement(order, { correlationId, traceparent });
      try {
        const added =
          key === undefined
            ? plain.add(placement)
            : keyed.add({ ...placement, ...key, hash: contentHash(order) });
        return toPlaced(await added);
      } catch (error) {
        throw toCodedError(error, key !== undefined);
      }
    },
    async close() {
      await Promise.all([plain.close(), keyed.close()]);
    },
  };
}
