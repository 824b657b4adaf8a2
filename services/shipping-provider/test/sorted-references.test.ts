import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inOrder } from '../src/sorted-references.ts';
import { listOf } from './running-provider.ts';

test('references come sorted by UTF-16 code units, whatever they are', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1 })),
      async (references) => {
        const pieces = await listOf(inOrder(references));
        assert.deepEqual(pieces.flat(), references.toSorted());
      },
    ),
  );
});

for (const [kind, create] of [
  ['random', () => crypto.randomUUID()],
  ['nearly equal', (index: number) => `customer-order-${String(index * 7919).padStart(12, '0')}`],
  ['few different', (index: number) => `same-${index % 3}`],
] as const) {
  test(`many ${kind} references come sorted, through buckets, and others get their turn meanwhile`, async () => {
    const references = Array.from({ length: 100_000 }, (_, index) => create(index));
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const sorted = (await listOf(inOrder(references))).flat();
    clearInterval(counting);
    assert.deepEqual(sorted, references.toSorted());
    assert.ok(turns > 3, `${turns} turns`);
  });
}
