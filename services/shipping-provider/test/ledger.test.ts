import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { LedgerEntry } from '@orders/contracts/shipping';
import fc from 'fast-check';
import { type Ledger, openLedger } from '../src/ledger.ts';
import { listOf, silentLog, temporaryFolder } from './running-provider.ts';

const open = (path?: string): Ledger => openLedger({ path, log: silentLog });
const entriesOf = async (ledger: Ledger): Promise<LedgerEntry[]> =>
  (await listOf(ledger.entries())).flat();

test('the file keeps the state: counts, first bookings and the next number', async (t) => {
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
      const before = open(path);
      for (const { reference, bookedAt, isWritten } of steps) {
        before.record(reference, bookedAt);
        if (isWritten) await before.written();
      }
      const expected = await entriesOf(before);
      const accounts = steps.map(({ reference }) => before.find(reference));
      await before.close();
      const after = open(path);
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
  const ledger = open();
  assert.deepEqual(ledger.find('a'), { posts: 0, bookings: 0, first: undefined });
  assert.equal(ledger.record('a', undefined), undefined);
  assert.deepEqual(ledger.record('b', 7), { number: 1, at: 7 });
  assert.deepEqual(ledger.record('a', 8), { number: 2, at: 8 });
  assert.deepEqual(ledger.record('a', 9), { number: 3, at: 9 });
  assert.deepEqual(ledger.find('a'), { posts: 3, bookings: 2, first: { number: 2, at: 8 } });
  assert.equal(ledger.written(), undefined);
});

const anyReferences = fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }));

test('references come sorted by UTF-16 code units and unchanged, lone surrogates included', async () => {
  await fc.assert(
    fc.asyncProperty(anyReferences, async (references) => {
      const ledger = open();
      for (const reference of references) ledger.record(reference, 1);
      const listed = (await entriesOf(ledger)).map(({ reference }) => reference);
      assert.deepEqual(listed, references.toSorted());
      await ledger.close();
    }),
  );
});

test('many references come in pages, and others get their turn between them', async (t) => {
  const ledger = open(join(await temporaryFolder(t), 'ledger'));
  const count = 20_000;
  for (let index = 0; index < count; index++) ledger.record(crypto.randomUUID(), index);
  await ledger.written();
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  const pages = await listOf(ledger.entries());
  clearInterval(counting);
  const references = pages.flat().map(({ reference }) => reference);
  assert.deepEqual([references.length, references], [count, references.toSorted()]);
  assert.ok(Math.max(...pages.map((page) => page.length)) <= 1_000);
  assert.ok(turns > 3, `${turns} turns`);
  await ledger.close();
});

test('the POSTs of one turn are committed together, and another process sees all of them or none', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  const [ledger, other] = [open(path), open(path)];
  ledger.record('a', 1);
  ledger.record('b', undefined);
  assert.equal(other.references(), 0);
  await ledger.written();
  assert.equal(other.references(), 2);
  await Promise.all([ledger.close(), other.close()]);
});

test('a file that is no ledger stops the start with its name', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  await writeFile(path, 'x'.repeat(5_000));
  assert.throws(
    () => open(path),
    new RegExp(`${path} cannot be opened: .*not a database.*Move it`),
  );
});

test('a file whose bookings have no hash of their content opens, keeps them, and takes hashes', async (t) => {
  const path = join(await temporaryFolder(t), 'ledger');
  const before = open(path);
  before.record('a', 1, 'h1');
  before.record('a', 2, 'h2');
  await before.close();
  const file = new DatabaseSync(path);
  file.exec('ALTER TABLE accounts DROP COLUMN first_content');
  file.close();
  const after = open(path);
  after.record('a', 3, 'h3');
  after.record('b');
  after.record('b', 4, 'h4');
  const contents = (await entriesOf(after)).map(({ bookings, content }) => [bookings, content]);
  assert.deepEqual(contents, [
    [3, null],
    [1, 'h4'],
  ]);
  await after.close();
});
