import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Facts, notBooked } from '../../src/audit/facts.ts';
import { joinStreams, type Pages, type Streams } from '../../src/audit/join.ts';
import { confirm } from '../../src/audit/suspects.ts';
import { anEvent, created, idOf, shipped, standard } from './invented-order.ts';

async function* paged<Row>(rows: Row[], size = 2): Pages<Row> & AsyncGenerator<Row[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}

const streams = (over: Partial<Streams> = {}): Streams => ({
  orders: paged([]),
  orderEvents: paged([]),
  fulfillments: paged([]),
  fulfillmentEvents: paged([]),
  cancellations: paged([]),
  bookings: paged([]),
  ...over,
});

const booked = (id: string) => ({ ...notBooked(id), bookings: 1 });

async function joined(over: Partial<Streams>): Promise<Facts[]> {
  const all: Facts[] = [];
  await joinStreams(streams(over), (facts) => void all.push(facts));
  return all;
}

test('rows of the same id meet, whatever page they are on and whichever streams lack it', async () => {
  const some = (numbers: number[]) => numbers.map((number) => shipped(idOf(number)));
  const all = await joined({
    orders: paged(some([1, 2, 3, 5]).map(({ order }) => order)),
    orderEvents: paged([1, 2, 3].map((sequence) => anEvent({ id: idOf(3), sequence }))),
    fulfillments: paged(
      some([2, 3, 4, 5]).map(({ fulfillment }) => fulfillment),
      3,
    ),
    cancellations: paged([{ id: idOf(5), filedAt: 1 }]),
    bookings: paged([booked(idOf(2)), booked('z')], 1),
  });
  const seen = all.map(({ id, order, orderEvents, fulfillment, cancellation, booking }) =>
    [
      id.slice(-1),
      order ? 'o' : '',
      orderEvents.length,
      fulfillment ? 'f' : '',
      cancellation !== undefined,
      booking?.bookings,
    ].join(),
  );
  assert.deepEqual(seen, [
    '1,o,0,,false,0',
    '2,o,0,f,false,1',
    '3,o,3,f,false,0',
    '4,,0,f,false,0',
    '5,o,0,f,true,0',
    'z,,0,,false,1',
  ]);
});

test('without a ledger bookings are unknown and not none', async () => {
  const [facts] = await joined({ orders: paged([shipped().order]), bookings: undefined });
  assert.equal(facts?.booking, undefined);
});

test('a stream that is not sorted ends the audit instead of calling everything lost', async () => {
  const bookings = paged(['b', 'a'].map((id) => booked(id)));
  await assert.rejects(joined({ bookings }), /ledger: a comes after b, so it is not sorted/);
});

test('a suspect is reported only for what is wrong every time it is read', async () => {
  const lost = created(100, idOf(1));
  const late = created(100, idOf(2));
  const rounds = [[lost, late], [lost, shipped(idOf(2))], [lost]];
  const asked: (readonly string[])[] = [];
  const look = async (ids: readonly string[]) => {
    asked.push(ids);
    return { standard, facts: each(rounds[asked.length - 1] ?? []) };
  };
  const found = await confirm([idOf(1), idOf(2)], look, { rounds: 3, pauseMs: 1 });
  assert.deepEqual(
    found.map(({ name, orderId }) => [name, orderId]),
    [['not_filed', idOf(1)]],
  );
  assert.deepEqual(asked, [[idOf(1), idOf(2)], [idOf(1), idOf(2)], [idOf(1)]]);
});

async function* each<T>(items: T[]): AsyncGenerator<T> {
  yield* items;
}
