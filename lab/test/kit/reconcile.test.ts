import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderListEntry } from '@orders/contracts/orders/api';
import type { LedgerEntry } from '@orders/contracts/shipping';
import { createStepCheck } from '../../src/kit/order-watch.ts';
import { reconcile } from '../../src/kit/reconcile.ts';
import type { SentOrder } from '../../src/load/order-load.ts';

const at = '2026-01-20T21:09:00.000Z';
const shipped: NonNullable<OrderListEntry['fulfillment']> = {
  status: 'Shipped',
  trackingNumber: 'MP1',
  carrier: 'MockPost',
  shippedAt: at,
  errorMessage: null,
  attempts: 1,
  nextAttemptAt: null,
};

function orderOf(
  orderId: string,
  mark: string,
  over: Partial<OrderListEntry> = {},
): OrderListEntry {
  return {
    orderId,
    status: 'Shipped',
    publishFailed: false,
    customerId: 'c',
    customerName: mark,
    currency: null,
    itemCount: 1,
    total: null,
    createdAt: at,
    updatedAt: at,
    cancellation: null,
    fulfillment: shipped,
    ...over,
  };
}

const sentAs = (mark: string, orderId: string | undefined, ...answers: number[]): SentOrder => ({
  mark,
  key: mark,
  answers,
  orderId,
  ms: 1,
});
const ledgerOf = (...lines: [reference: string, bookings: number][]): Map<string, LedgerEntry> =>
  new Map(
    lines.map(([reference, bookings]) => [
      reference,
      { reference, bookings, posts: bookings, trackingNumber: 'MP1', content: null },
    ]),
  );
const nothing = { lost: [], doubled: [], stuck: [], orphans: [] };
const counts = (found: ReturnType<typeof reconcile>) =>
  Object.entries(found).flatMap(([kind, faults]) =>
    faults.length > 0 ? [`${kind} ${faults.length}`] : [],
  );

test('An accepted order that shipped with one booking adds up, and so does one whose answer was lost', () => {
  const sent = [sentAs('a', '1', 201), sentAs('b', undefined, 0), sentAs('c', undefined, 503)];
  const orders = [orderOf('1', 'a'), orderOf('2', 'b')];
  assert.deepEqual(reconcile(sent, orders, ledgerOf(['1', 1], ['2', 1])), nothing);
});

test('An accepted order that is not there, or has no booking, is lost', () => {
  assert.deepEqual(counts(reconcile([sentAs('a', '1', 201)], [], ledgerOf())), ['lost 1']);
  assert.deepEqual(counts(reconcile([sentAs('a', '1', 201)], [orderOf('1', 'a')], ledgerOf())), [
    'lost 1',
  ]);
});

test('Two bookings of an order, and two orders of a request, are doubled', () => {
  const sent = [sentAs('a', '1', 201)];
  assert.deepEqual(counts(reconcile(sent, [orderOf('1', 'a')], ledgerOf(['1', 2]))), ['doubled 1']);
  const twice = [orderOf('1', 'a'), orderOf('2', 'a')];
  assert.deepEqual(counts(reconcile(sent, twice, ledgerOf(['1', 1], ['2', 1]))), ['doubled 1']);
});

test('An order that is not Shipped at the end is stuck', () => {
  const open = orderOf('1', 'a', { status: 'Retrying', fulfillment: null });
  assert.deepEqual(counts(reconcile([sentAs('a', '1', 201)], [open], ledgerOf(['1', 0]))), [
    'stuck 1',
  ]);
});

test('A booking without an order, an order nobody sent and a refusal of a good order are orphans', () => {
  assert.deepEqual(counts(reconcile([], [], ledgerOf(['9', 1]))), ['orphans 1']);
  assert.deepEqual(counts(reconcile([], [orderOf('9', 'x')], ledgerOf(['9', 1]))), ['orphans 1']);
  assert.deepEqual(counts(reconcile([sentAs('a', undefined, 400)], [], ledgerOf())), ['orphans 1']);
});

test('A status that goes back, attempts that shrink and a fulfillment that vanishes are noticed', () => {
  const { see, stepsBack } = createStepCheck();
  const open = { ...shipped, status: 'Processing' as const, trackingNumber: null };
  see(orderOf('1', 'a', { status: 'Created', fulfillment: null }));
  see(orderOf('1', 'a', { status: 'Processing', fulfillment: { ...open, attempts: 0 } }));
  see(
    orderOf('1', 'a', {
      status: 'Retrying',
      fulfillment: { ...open, status: 'Retrying', attempts: 2 },
    }),
  );
  see(
    orderOf('1', 'a', {
      status: 'Retrying',
      fulfillment: { ...open, status: 'Retrying', attempts: 2 },
    }),
  );
  assert.equal(stepsBack.length, 0);
  see(orderOf('1', 'a', { status: 'Processing', fulfillment: { ...open, attempts: 1 } }));
  see(orderOf('1', 'a', { status: 'Created', fulfillment: null }));
  assert.deepEqual(
    stepsBack.map((step) => step.replace('1: ', '')),
    [
      'Retrying -> Processing',
      'attempts 2 -> 1',
      'Processing -> Created',
      'attempts 1 -> 0',
      'fulfillment became null',
    ],
  );
});
