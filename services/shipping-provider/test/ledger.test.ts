import assert from 'node:assert/strict';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LedgerEntry } from '@orders/contracts/shipping';
import fc from 'fast-check';
import { type Ledger, openLedger } from '../src/ledger.ts';
import { listOf, silentLog, temporaryFolder } from './running-provider.ts';

const open = (path?: string): Promise<Ledger> => openLedger({ path, log: silentLog });
const entriesOf = async (ledger: Ledger): Promise<LedgerEntry[]> =>
  (await listOf(ledger.entries())).flat();

/** Records, one frame each, and returns the file's size after each. */
async function recordFrames(path: string, references: string[]): Promise<number[]> {
  const ledger = await open(path);
  const sizes: number[] = [];
  for (const [index, reference] of references.entries()) {
    ledger.record(reference, index % 3 === 0 ? undefined : 1_000 + index);
    await ledger.written();
    sizes.push((await stat(path)).size);
  }
  await ledger.close();
  return sizes;
}

test('the file replays to the same state: counts, first bookings and the next number', async (t) => {
  const folder = await temporaryFolder(t);
  let run = 0;
  const step = fc.record({
    reference: fc.oneof(
      fc.constantFrom('a', 'b', 'ä', '📦'),
      fc.uuid(),
      fc.string({ unit: 'binary', minLength: 1 }),
    ),
    bookedAt: fc.option(fc.nat(), { nil: undefined }),
    isWritten: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const path = join(folder, String(run++));
      const before = await open(path);
      for (const { reference, bookedAt, isWritten } of steps) {
        before.record(reference, bookedAt);
        if (isWritten) await before.written();
      }
      const expected = await entriesOf(before);
      const accounts = steps.map(({ reference }) => before.find(reference));
      await before.close();
      const after = await open(path);
      assert.deepEqual(await entriesOf(after), expected);
      assert.deepEqual(
        steps.map(({ reference }) => after.find(reference)),
        accounts,
      );
      assert.equal(after.record('next', 5)?.number, before.record('next', 5)?.number);
      await after.close();
    }),
    { numRuns: 60 },
  );
});

test('the model: posts, bookings and first booking are those of the steps', async () => {
  const ledger = await open();
  assert.deepEqual(ledger.find('a'), { posts: 0, bookings: 0, first: undefined });
  assert.equal(ledger.record('a', undefined), undefined);
  assert.deepEqual(ledger.record('b', 7), { number: 1, at: 7 });
  assert.deepEqual(ledger.record('a', 8), { number: 2, at: 8 });
  assert.deepEqual(ledger.record('a', 9), { number: 3, at: 9 });
  assert.deepEqual(ledger.find('a'), { posts: 3, bookings: 2, first: { number: 2, at: 8 } });
  assert.equal(ledger.written(), undefined);
});

test('a last frame cut at any byte is dropped, the frames before it stay, and writing goes on behind them', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  const sizes = await recordFrames(path, ['a', 'b', 'c']);
  const whole = await readFile(path);
  for (let size = (sizes[1] ?? 0) + 1; size < whole.length; size++) {
    await writeFile(path, whole);
    await truncate(path, size);
    const ledger = await open(path);
    assert.deepEqual(
      (await entriesOf(ledger)).map(({ reference }) => reference),
      ['a', 'b'],
    );
    ledger.record('d', 1);
    await ledger.close();
    const again = await open(path);
    assert.equal(again.references(), 3);
    await again.close();
  }
});

test('opening alone does not touch the file, so that a second process that fails to start does no harm', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  await recordFrames(path, ['a', 'b']);
  const torn = (await readFile(path)).subarray(0, -1);
  await writeFile(path, torn);
  await (await open(path)).close();
  assert.deepEqual(await readFile(path), torn);
});

test('a damaged frame stops the start with its file and byte', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  const sizes = await recordFrames(path, ['a', 'b', 'c']);
  const bytes = await readFile(path);
  const flipped = (sizes[0] ?? 0) + 10;
  bytes[flipped] = (bytes[flipped] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await assert.rejects(
    open(path),
    new RegExp(`${path} is damaged at byte ${sizes[0]}: move it away`),
  );
  await writeFile(path, Buffer.alloc(64));
  await assert.rejects(open(path), /damaged at byte 0/);
});

test('what arrives during one turn leaves in one frame, however much it is', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  const ledger = await open(path);
  const count = 20_000;
  for (let index = 0; index < count; index++) ledger.record(`reference-${index}`, index);
  await ledger.written();
  const bytes = await readFile(path);
  assert.equal(bytes.readUInt32LE(0), bytes.length - 8);
  await ledger.close();
  const again = await open(path);
  assert.equal(again.references(), count);
  await again.close();
});

test('a disk that does not keep up makes the ledger full until it has caught up', async (t) => {
  const ledger = await open(join(await temporaryFolder(t), 'ledger'));
  let recorded = 0;
  while (!ledger.isFull() && recorded < 1_000_000) ledger.record(`reference-${recorded++}`, 1);
  assert.ok(recorded < 1_000_000 && recorded > 100_000, `${recorded} records`);
  await ledger.written();
  assert.equal(ledger.isFull(), false);
  await ledger.close();
});

test('a reference takes at most 120 bytes of memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const memory = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const ledger = await open();
  const before = memory();
  const count = 500_000;
  for (let index = 0; index < count; index++) ledger.record(crypto.randomUUID(), index);
  const bytes = (memory() - before) / count;
  assert.ok(bytes <= 120, `${bytes} bytes a reference`);
  assert.equal(ledger.references(), count);
});
