import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Facts, notBooked, type Reader, type Standard } from '../../src/audit/facts.ts';
import { judge } from '../../src/audit/judge.ts';
import { anEvent, created, idOf, retrying, shipped, standard } from './invented-order.ts';

const found = (facts: Facts, over: Partial<Standard> = {}): string[] =>
  judge(facts, { ...standard, ...over }).map(({ kind, name }) => `${kind}: ${name}`);
const reader = (isCaughtUp: boolean, committed?: bigint): Reader => ({
  isCaughtUp,
  committed: () => committed,
});

test('an order on the happy way, young or final, has no finding', () => {
  assert.deepEqual(found(shipped()), []);
  assert.deepEqual(found(created(29)), []);
  assert.deepEqual(found(retrying(599)), []);
});

test('an order that is published and was not filed is lost after the grace', () => {
  assert.deepEqual(found(created(31)), ['lost: not_filed']);
  assert.deepEqual(found({ ...created(31), orderEvents: [anEvent()] }), []);
  assert.deepEqual(
    found({ ...created(31), orderEvents: [anEvent({ eventType: 'OrderCancellationRequested' })] }),
    ['lost: not_filed'],
  );
});

test('what Kafka has not handed over yet is not lost, but stuck when it takes too long', () => {
  assert.deepEqual(found(created(31), { orderEvents: reader(false) }), []);
  assert.deepEqual(found(created(31), { orderEvents: reader(true) }), ['lost: not_filed']);
  assert.deepEqual(found(created(601), { orderEvents: reader(false) }), ['stuck: open_too_long']);
});

test('a fulfillment that is gone loses its order and orphans its booking', () => {
  const facts = { ...shipped(), fulfillment: undefined };
  assert.deepEqual(found(facts), ['lost: not_filed', 'orphaned: booking_without_fulfillment']);
});

test('an outcome that the order never learned is lost unless its event waits or was just made', () => {
  const facts = shipped();
  facts.fulfillment.sequence = 3;
  assert.deepEqual(found(facts), ['lost: not_projected']);
  assert.deepEqual(found({ ...facts, fulfillmentEvents: [anEvent({ sequence: 2 })] }), [
    'lost: not_projected',
  ]);
  assert.deepEqual(found({ ...facts, fulfillmentEvents: [anEvent({ sequence: 3 })] }), []);
  assert.deepEqual(found(facts, { fulfillmentEvents: reader(false) }), []);
  assert.deepEqual(found({ ...facts, fulfillment: { ...facts.fulfillment, quietSeconds: 5 } }), []);
});

test('Shipped without a booking is lost, unless the provider was not asked', () => {
  const facts = shipped();
  assert.deepEqual(found({ ...facts, booking: notBooked(facts.id) }), [
    'lost: shipped_without_booking',
  ]);
  assert.deepEqual(found({ ...facts, booking: undefined }), []);
});

test('a request to cancel that nobody took is lost', () => {
  const facts = retrying(100);
  facts.order.cancelAskedSeconds = 40;
  assert.deepEqual(found(facts), ['lost: cancel_not_filed']);
  assert.deepEqual(found({ ...facts, cancellation: { id: facts.id, filedAt: 1 } }), []);
  assert.deepEqual(
    found({
      ...facts,
      orderEvents: [anEvent({ eventType: 'OrderCancellationRequested', sequence: 2 })],
    }),
    [],
  );
});

test('two bookings of one order are doubled', () => {
  const facts = shipped();
  assert.deepEqual(
    found({ ...facts, booking: { ...facts.booking, bookings: 2, trackingNumber: 'T0' } }),
    ['doubled: booked_more_than_once'],
  );
});

test('what belongs to nothing is orphaned; a fulfillment without an order only where foreign producers are ruled out', () => {
  const bare = {
    ...shipped(),
    order: undefined,
    fulfillment: undefined,
    booking: notBooked(idOf(1)),
  };
  assert.deepEqual(
    found({ ...bare, booking: { ...notBooked('somebody'), bookings: 1, trackingNumber: 'T9' } }),
    ['orphaned: booking_without_fulfillment'],
  );
  assert.deepEqual(found({ ...bare, orderEvents: [anEvent()] }), ['orphaned: event_without_order']);
  assert.deepEqual(found({ ...bare, fulfillmentEvents: [anEvent()] }), [
    'orphaned: event_without_fulfillment',
  ]);
  const foreign = { ...shipped(), order: undefined };
  assert.deepEqual(found(foreign), []);
  assert.deepEqual(found(foreign, { isStrict: true }), ['orphaned: fulfillment_without_order']);
});

const contradictions: [name: string, plant: (facts: ReturnType<typeof shipped>) => void][] = [
  [
    'status_differs',
    ({ order }) => Object.assign(order, { status: 'Failed', shownStatus: 'Failed' }),
  ],
  ['status_differs', ({ order }) => Object.assign(order, { shownStatus: 'Failed' })],
  ['status_without_event', ({ order }) => Object.assign(order, { sequence: 0 })],
  ['tracking_number_differs', ({ order }) => Object.assign(order, { trackingNumber: 'T2' })],
  [
    'tracking_number_differs',
    ({ fulfillment }) => Object.assign(fulfillment, { trackingNumber: 'T2' }),
  ],
  [
    'tracking_number_differs',
    ({ booking }) => Object.assign(booking ?? {}, { trackingNumber: 'T2' }),
  ],
  [
    'shipped_without_tracking_number',
    ({ fulfillment }) => Object.assign(fulfillment, { trackingNumber: null }),
  ],
  ['order_ahead', ({ order }) => Object.assign(order, { sequence: 3 })],
  [
    'final_with_open_attempt',
    ({ fulfillment }) => Object.assign(fulfillment, { isAttemptOpen: true }),
  ],
  ['final_and_due', ({ fulfillment }) => Object.assign(fulfillment, { dueInSeconds: -5 })],
  ['failed_with_booking', ({ order, fulfillment }) => end('Failed', order, fulfillment)],
  ['cancelled_with_booking', ({ order, fulfillment }) => end('Cancelled', order, fulfillment)],
];
for (const [name, plant] of contradictions) {
  test(`a contradiction is named: ${name}, ${String(plant).slice(String(plant).indexOf('=>') + 3)}`, () => {
    const facts = shipped();
    plant(facts);
    const kinds = found(facts);
    assert.ok(kinds.includes(`contradictory: ${name}`), kinds.join());
  });
}

test('an open fulfillment that nobody will take up contradicts itself', () => {
  const facts = retrying(10);
  facts.fulfillment.dueInSeconds = null;
  assert.deepEqual(found(facts), ['contradictory: open_and_never_due']);
});

test('a row beyond the committed offset of its topic is a contradiction, unless it comes from the in-process broker', () => {
  const facts = shipped();
  assert.deepEqual(
    found(facts, { orderEvents: reader(true, 21n), fulfillmentEvents: reader(true, 41n) }),
    [],
  );
  assert.deepEqual(found(facts, { orderEvents: reader(true) }), []);
  assert.deepEqual(found(facts, { orderEvents: reader(true, 20n) }), [
    'contradictory: source_not_committed',
  ]);
  assert.deepEqual(found(facts, { fulfillmentEvents: reader(true, 40n) }), [
    'contradictory: source_not_committed',
  ]);
  facts.fulfillment.source.offset = '1792000000000000';
  assert.deepEqual(found(facts, { orderEvents: reader(true, 20n) }), []);
});

test('what is open too long, refused or a dead letter is stuck, with what is known', () => {
  assert.deepEqual(found(retrying(601)), ['stuck: open_too_long']);
  const [finding] = judge(retrying(601), standard);
  assert.match(
    finding?.detail ?? '',
    /^open for 10 min \(.*Retrying.*3 attempts, due in 12 s, last error: status 503/,
  );
  assert.deepEqual(found({ ...created(5), orderEvents: [anEvent({ refused: 'too large' })] }), [
    'stuck: refused_event',
  ]);
  assert.deepEqual(found({ ...created(700), deadLetters: ['no items'] }), [
    'stuck: dead_letter',
    'stuck: open_too_long',
  ]);
});

function end(state: string, order: object, fulfillment: object): void {
  Object.assign(order, { status: state, shownStatus: state, trackingNumber: null });
  Object.assign(fulfillment, { state, trackingNumber: null });
}

test('what was booked for whom is that of the order, unless an operator has corrected it', () => {
  const facts = shipped();
  const filed = { ...facts, fulfillment: { ...facts.fulfillment, content: 'c2' } };
  assert.deepEqual(found(filed), ['contradictory: content_differs']);
  const booking = { ...facts.booking, content: 'c2' };
  assert.deepEqual(found({ ...facts, booking }), ['contradictory: content_differs']);
  assert.deepEqual(found({ ...filed, booking, isCorrected: true }), []);
  assert.deepEqual(found({ ...facts, booking: { ...booking, content: null } }), []);
});

test('more POSTs at the provider than attempts on record are a contradiction, fewer are none', () => {
  const facts = shipped();
  const booking = { ...facts.booking, posts: 2 };
  assert.deepEqual(found({ ...facts, booking }), ['contradictory: posts_exceed_attempts']);
  assert.deepEqual(found({ ...facts, booking: { ...booking, posts: 0 } }), []);
  assert.deepEqual(found({ ...facts, booking: { ...booking, posts: null } }), []);
});

test('an attempt that shipped and began after the cancellation was filed is a contradiction', () => {
  const facts = shipped();
  const filedAt = (at: number) => ({ ...facts, cancellation: { id: facts.id, filedAt: at } });
  assert.deepEqual(found(filedAt(990)), ['contradictory: sent_after_cancel']);
  assert.deepEqual(found(filedAt(999)), []);
  assert.deepEqual(found(filedAt(1_010)), []);
});
