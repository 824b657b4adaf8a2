import type { PlacedOrder } from '@orders/contracts/orders/api';
import { whatFailed } from '@orders/platform/postgres/database';
import { QueueFull } from '@orders/platform/process/batcher';
import { CodedError } from '@orders/platform/process/errors';
import type { Placement } from './placement.ts';
import type { KeyedPlacement, KnownKey, PlaceAs } from './placing-store.ts';

export type Placed = PlacedOrder & { isRepeat: boolean };

/** The outcome of one order of a batch. */
export type Answer = { isHot?: boolean } & (
  | { kind: 'accepted' | 'repeated'; orderId: string; status: PlacedOrder['status'] }
  | { kind: 'reused' }
  | { kind: 'unknown' }
);

export function accepted({ orderId }: Placement, { claimMs }: PlaceAs): Answer {
  const isHot = claimMs !== null;
  return { kind: 'accepted', orderId, status: isHot ? 'Created' : 'Pending', isHot };
}

export function answerAgain({ scope, key, hash }: KeyedPlacement, known: KnownKey[]): Answer {
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

/** Throws CodedError idempotency_key_reused or idempotency_in_progress. */
export function toPlaced(answer: Answer): Placed {
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

/** The error that the client sees; an unknown error stays as it is. */
export function toCodedError(error: unknown, hasKey: boolean): unknown {
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
