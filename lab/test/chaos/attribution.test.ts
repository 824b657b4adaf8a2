import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderListEntry } from '@orders/contracts/orders/api';
import { attribute } from '../../src/chaos/attribution.ts';
import type { Inflicted } from '../../src/chaos/inflict-fault.ts';
import type { SentOrder } from '../../src/load/order-load.ts';

const noon = Date.parse('2026-01-20T12:00:00.000Z');
const at = (seconds: number): string => new Date(noon + seconds * 1000).toISOString();
const nothing = { lost: [], doubled: [], stuck: [], orphans: [] };

function fault(kind: string, from: number, to: number): Inflicted {
  const drawn = {
    kind,
    action: 'pause',
    part: 'provider',
    durationMs: (to - from) * 1000,
    waits: true,
  } as const;
  return { fault: drawn, startedAt: noon + from * 1000, endedAt: noon + to * 1000, cpu: [] };
}

function order(mark: string, placed: number, shipped: number | undefined): OrderListEntry {
  return {
    orderId: mark,
    status: shipped === undefined ? 'Retrying' : 'Shipped',
    publishFailed: false,
    customerId: 'c',
    customerName: mark,
    currency: null,
    itemCount: 1,
    total: null,
    createdAt: at(placed),
    updatedAt: at(shipped ?? placed),
    cancellation: null,
    fulfillment: null,
  };
}

test('An order is under every fault that lasts while it is on its way', () => {
  const orders = [
    order('before', 0, 1),
    order('across', 1, 5),
    order('within', 3, 4),
    order('after', 9, 9.5),
  ];
  const [first, second] = attribute([fault('one', 2, 6), fault('two', 5, 7)], [], orders, nothing);
  assert.deepEqual([first?.placed, first?.under, second?.placed, second?.under], [1, 2, 0, 1]);
});

test('What is wrong with an order is counted at each fault that it was under', () => {
  const orders = [order('a', 0, 1), order('b', 3, undefined)];
  const found = {
    ...nothing,
    doubled: ['a: order a, Shipped, 2 booking(s)'],
    stuck: ['b: order b, Retrying: why'],
  };
  const figures = attribute(
    [fault('one', 0.5, 2), fault('two', 2.5, 4), fault('three', 8, 9)],
    [],
    orders,
    found,
  );
  assert.deepEqual(
    figures.map(({ doubled, stuck }) => [doubled, stuck]),
    [
      [1, 0],
      [0, 1],
      [0, 1],
    ],
  );
});

test('An order that is not there was placed at the time in its id', () => {
  const orderId = `${noon
    .toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-7000-8000-000000000000`;
  const sent: SentOrder = { mark: 'gone', key: 'k', answers: [201], orderId, ms: 1 };
  const found = { ...nothing, lost: [`gone: order ${orderId} is not there`] };
  const [before, during] = attribute(
    [fault('one', -5, -1), fault('two', -0.5, 1)],
    [sent],
    [],
    found,
  );
  assert.deepEqual([before?.lost, during?.lost], [0, 1]);
});

test('The time to recover ends when the first order placed after the fault is Shipped, if it ever is', () => {
  const orders = [order('while', 3, 9), order('first', 4.5, 6), order('second', 4.6, 5)];
  const [recovered] = attribute([fault('one', 2, 4)], [], orders, nothing);
  assert.equal(recovered?.recoverMs, 2_000);
  const [never, none] = attribute(
    [fault('one', 2, 4), fault('two', 5, 6)],
    [],
    [order('x', 4.5, undefined)],
    nothing,
  );
  assert.deepEqual([never?.recoverMs, none?.recoverMs], [null, null]);
});
