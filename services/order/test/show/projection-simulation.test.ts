import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import fc from 'fast-check';
import { newestPerOrder, type Projected, toProjected } from '../../src/order.ts';
import { fulfillmentEvent, type Status } from '../fulfillment-events.ts';

const orderIds = ['01900000-0000-7000-8000-00000000000a', '01900000-0000-7000-8000-00000000000b'];

/** The life of a fulfillment as the Fulfillment Service tells it: sequence 1, 2, 3, … */
const life: fc.Arbitrary<Status[]> = fc
  .record({
    retries: fc.nat(6),
    failures: fc.nat(2),
    end: fc.constantFrom<Status>('Shipped', 'Failed', 'Cancelled'),
  })
  .map(({ retries, failures, end }) => {
    const round: Status[] = Array(retries).fill('Retrying');
    const failed = Array.from({ length: failures }, (): Status[] => [
      ...round,
      'Failed',
      'Retrying',
    ]).flat();
    return ['Processing', ...failed, ...round, end];
  });

/** Copies of all events, shuffled and cut into batches, in which each event comes at least once. */
const deliveries = fc.tuple(life, life).chain((lives) => {
  const all = lives.flatMap((life, o) =>
    life.map((status, i) =>
      fulfillmentEvent(orderIds[o] ?? '', i + 1, status, { attempts: i + 1 }),
    ),
  );
  return fc.record({
    lives: fc.constant(lives),
    order: fc.array(fc.nat(all.length - 1), { maxLength: 30 }).chain((copies) =>
      fc.shuffledSubarray(
        [...all, ...copies.map((i) => all[i] as FulfillmentEvent)].map((e) => ({ ...e })),
        {
          minLength: all.length + copies.length,
        },
      ),
    ),
    cuts: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 60, maxLength: 60 }),
  });
});

type IsNewer = (event: Projected, shown: Projected | undefined) => boolean;
/** The WHERE of the projecting statement. */
const bySequence: IsNewer = (event, shown) => (shown?.sequence ?? 0) < event.sequence;

const projections = (isNewer: IsNewer, reduce: typeof newestPerOrder) =>
  fc.property(deliveries, ({ lives, order, cuts }) => {
    const shown = new Map<string, Projected>();
    const events = [...order];
    for (const size of cuts) {
      const batch = reduce(events.splice(0, size).map(toProjected));
      assert.equal(
        new Set(batch.map(({ orderId }) => orderId)).size,
        batch.length,
        'a row is written once in a statement',
      );
      for (const event of batch) {
        const before = shown.get(event.orderId);
        if (!isNewer(event, before)) continue;
        assert.ok(
          (before?.sequence ?? 0) < event.sequence,
          `back from ${before?.sequence} to ${event.sequence}`,
        );
        shown.set(event.orderId, event);
      }
    }
    fc.pre(events.length === 0);
    for (const [o, statuses] of lives.entries()) {
      const { status, fulfillment } = shown.get(orderIds[o] ?? '') ?? {};
      assert.deepEqual(
        [status, fulfillment?.status, fulfillment?.attempts],
        [statuses.at(-1), statuses.at(-1), statuses.length],
      );
    }
  });

test('I12: events that come twice, late and in any order show the last status in the end, and never an older one again', () => {
  fc.assert(projections(bySequence, newestPerOrder), { numRuns: 3_000 });
});

const firstPerOrder: typeof newestPerOrder = (events) => [
  ...new Map(events.toReversed().map((event) => [event.orderId, event])).values(),
];
const bugs: Record<string, [IsNewer, typeof newestPerOrder]> = {
  'goes by the order of arrival': [() => true, newestPerOrder],
  'takes the first of a batch': [bySequence, firstPerOrder],
};
for (const [name, [isNewer, reduce]] of Object.entries(bugs)) {
  test(`the simulation notices a projection that ${name}`, () => {
    assert.ok(
      fc.check(projections(isNewer, reduce), { numRuns: 3_000, endOnFailure: true }).failed,
    );
  });
}
