import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import { type KnownFulfillment, toProjected } from '../../src/order.ts';
import { toTimeline } from '../../src/show/timeline.ts';
import { fulfillmentEvent } from '../fulfillment-events.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 20, 21, 9, second)).toISOString();
const attempt = { at: at(3), outcome: 'not_booked', error: 'busy', durationMs: 12 };

/** As the projection keeps it. */
function known(
  event: Partial<FulfillmentEvent>,
  more: Partial<FulfillmentEvent['fulfillment']>,
): KnownFulfillment {
  return toProjected({
    ...fulfillmentEvent('id', 2, 'Retrying', more),
    occurredAt: at(5),
    ...event,
  }).fulfillment;
}

const timeline = (fulfillment: KnownFulfillment | null, cancelRequestedAt: Date | null = null) =>
  toTimeline({
    orderId: 'id',
    createdAt: new Date(at(0)),
    cancelRequestedAt,
    cancelReason: null,
    fulfillment,
    published: true,
  }).entries;

const accepted = { at: at(0), kind: 'accepted' };
const pickedUp = { at: at(1), kind: 'picked_up' };

test('a timeline begins with the acceptance and invents no time', () => {
  assert.deepEqual(timeline(null), [accepted]);
  assert.deepEqual(timeline(known({}, {})), [accepted]);
  const started = known(
    { eventType: 'FulfillmentStarted', occurredAt: at(1) },
    { status: 'Processing' },
  );
  assert.deepEqual(timeline(started), [accepted, pickedUp]);
});

test('attempts, the planned retry and a request to cancel stand in the order of their times', () => {
  const retrying = known(
    {},
    { publishedAt: at(0), startedAt: at(1), nextAttemptAt: at(9), failedAttempts: [attempt] },
  );
  assert.deepEqual(timeline(retrying, new Date(at(2))), [
    accepted,
    { at: at(0), kind: 'published' },
    pickedUp,
    { at: at(2), kind: 'cancel_requested', reason: null },
    { ...attempt, kind: 'attempt' },
    { at: at(9), kind: 'retry_planned' },
  ]);
});

test('the end of an order is told with what came of it', () => {
  const shipped = known(
    {},
    { status: 'Shipped', startedAt: at(1), shippedAt: at(4), trackingNumber: 'T', carrier: 'C' },
  );
  const told = { at: at(4), kind: 'shipped', trackingNumber: 'T', carrier: 'C' };
  assert.deepEqual(timeline(shipped), [accepted, pickedUp, told]);
  const failed = known(
    {},
    { status: 'Failed', startedAt: at(1), errorMessage: 'no', failedAttempts: [attempt] },
  );
  const ends = [
    { ...attempt, kind: 'attempt' },
    { at: at(5), kind: 'failed', error: 'no' },
  ];
  assert.deepEqual(timeline(failed), [accepted, pickedUp, ...ends]);
  assert.deepEqual(timeline(known({}, { status: 'Cancelled' })), [
    accepted,
    { at: at(5), kind: 'cancelled' },
  ]);
});
