import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBatcher, QueueFull } from '../../src/process/batcher.ts';
import { until, within } from '../kit/until.ts';

/** A batcher whose batches end when the test says so. */
function held(options: Partial<Parameters<typeof createBatcher<number, number>>[0]> = {}) {
  const batches: { items: number[]; end: () => void; fail: (error: unknown) => void }[] = [];
  const batcher = createBatcher<number, number>({
    name: 'test',
    itemsMax: 100,
    queueMax: 1_000,
    flush: (items) =>
      new Promise((resolve, reject) => {
        batches.push({ items, end: () => resolve(items.map((item) => item * 10)), fail: reject });
      }),
    ...options,
  });
  return { batcher, batches };
}

test('what arrives while a batch is carried out goes together in the next one', async () => {
  const { batcher, batches } = held();
  const first = batcher.add(1);
  await until('the first batch began', () => batches.length === 1);
  const others = [2, 3, 4].map((n) => batcher.add(n));
  batches[0]?.end();
  assert.equal(await first, 10);
  await until('the second batch began', () => batches.length === 2);
  assert.deepEqual(batches[1]?.items, [2, 3, 4]);
  assert.equal(batcher.size, 3);
  batches[1]?.end();
  assert.deepEqual(await Promise.all(others), [20, 30, 40]);
  assert.equal(batcher.size, 0);
});

test('requests of one turn of the event loop go together without waiting for a timer', async () => {
  const { batcher, batches } = held();
  const all = [1, 2, 3].map((n) => batcher.add(n));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(batches[0]?.items, [1, 2, 3]);
  batches[0]?.end();
  await Promise.all(all);
});

test('a small batch lingers for company, a large one does not', async () => {
  const { batcher, batches } = held({ lingerMs: 50, lingerItems: 3 });
  const began = performance.now();
  const small = [batcher.add(1), batcher.add(2)];
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(batches.length, 0);
  await until('the lingering batch began', () => batches.length === 1);
  assert.ok(performance.now() - began >= 45);
  batches[0]?.end();
  await Promise.all(small);
  const large = [3, 4, 5].map((n) => batcher.add(n));
  assert.deepEqual(batches[1]?.items, [3, 4, 5], 'began in the same turn');
  batches[1]?.end();
  await Promise.all(large);
});

test('a batch ends before it exceeds its bytes, and a larger item goes alone', async () => {
  const seen: number[][] = [];
  const batcher = createBatcher<number, void>({
    name: 'bytes',
    itemsMax: 100,
    bytesMax: 10,
    bytesOf: (item) => item,
    queueMax: 100,
    flush: async (items) => {
      seen.push(items);
      return [];
    },
  });
  await Promise.all([4, 6, 1, 25, 3, 25].map((item) => batcher.add(item)));
  assert.deepEqual(seen, [[4, 6], [1], [25], [3], [25]]);
});

test('beyond the limit of the queue an item is refused at once', async () => {
  const { batcher, batches } = held({ queueMax: 2, itemsMax: 1 });
  const first = batcher.add(1);
  await until('the first batch began', () => batches.length === 1);
  const waiting = [batcher.add(2), batcher.add(3)];
  await assert.rejects(batcher.add(4), QueueFull);
  for (let i = 0; i < 3; i += 1) {
    await until('a batch began', () => batches.length === i + 1);
    batches[i]?.end();
  }
  assert.deepEqual(await Promise.all([first, ...waiting]), [10, 20, 30]);
});

test('an error that is not of one item fails the batch and no other', async () => {
  const { batcher, batches } = held({ splitOn: () => false });
  const failing = Promise.allSettled([batcher.add(1), batcher.add(2)]);
  await until('the batch began', () => batches.length === 1);
  const next = batcher.add(3);
  batches[0]?.fail(new Error('away'));
  assert.deepEqual(
    (await failing).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await until('the next batch began', () => batches.length === 2);
  batches[1]?.end();
  assert.equal(await next, 30);
});

test('closing carries out what waits, refuses what comes, and may be asked for twice', async () => {
  const { batcher, batches } = held({ lingerMs: 60_000, itemsMax: 2 });
  const all = [1, 2, 3].map((n) => batcher.add(n));
  const closing = [batcher.close(), batcher.close()];
  await assert.rejects(batcher.add(4), QueueFull);
  for (let i = 0; i < 2; i += 1) {
    await until('a batch began', () => batches.length === i + 1);
    batches[i]?.end();
  }
  assert.deepEqual(await Promise.all(all), [10, 20, 30]);
  await within('both closes end', Promise.all(closing), 2_000);
  await within('a third ends too', batcher.close(), 2_000);
});

test('every item settles exactly once: bad ones alone are refused, whatever the sizes', async () => {
  const run = fc.asyncProperty(
    fc.array(fc.record({ isBad: fc.boolean(), bytes: fc.integer({ min: 0, max: 30 }) }), {
      maxLength: 60,
    }),
    fc.integer({ min: 1, max: 20 }),
    fc.constantFrom(0, 1),
    async (items, itemsMax, lingerMs) => {
      const done = new Map<number, number>();
      const bad = new Error('bad item');
      const batcher = createBatcher<number, number>({
        name: 'property',
        itemsMax,
        bytesMax: 40,
        bytesOf: (i) => items[i]?.bytes ?? 0,
        queueMax: 1_000,
        lingerMs,
        splitOn: (error) => error === bad,
        flush: async (batch) => {
          assert.ok(batch.length <= itemsMax);
          const bytes = batch.reduce((sum, i) => sum + (items[i]?.bytes ?? 0), 0);
          assert.ok(batch.length === 1 || bytes <= 40);
          if (batch.some((i) => items[i]?.isBad)) throw bad;
          for (const i of batch) done.set(i, (done.get(i) ?? 0) + 1);
          return batch;
        },
      });
      const settled = Promise.allSettled(items.map((_, i) => batcher.add(i)));
      await batcher.close();
      for (const [i, result] of (await settled).entries()) {
        assert.deepEqual(
          result,
          items[i]?.isBad ? { status: 'rejected', reason: bad } : { status: 'fulfilled', value: i },
        );
        assert.equal(done.get(i) ?? 0, items[i]?.isBad ? 0 : 1);
      }
    },
  );
  await fc.assert(run, { numRuns: 150 });
});
