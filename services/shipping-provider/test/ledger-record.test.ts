import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type LedgerRecord,
  maxRecordBytes,
  readRecords,
  writeRecord,
} from '../src/ledger-record.ts';

const roundTrip = (records: LedgerRecord[]): LedgerRecord[] => {
  const bytes = Buffer.alloc(records.length * maxRecordBytes);
  const end = records.reduce((offset, record) => writeRecord(bytes, offset, record), 0);
  const read: LedgerRecord[] = [];
  readRecords(bytes.subarray(0, end), (record) => read.push(record));
  return read;
};

test('records of any references come back as they were written', () => {
  const record = fc.record(
    {
      reference: fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }),
      bookedAt: fc.option(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) =>
      assert.deepEqual(roundTrip(records), records),
    ),
  );
});

test('references that differ in a lone surrogate only stay different', () => {
  const records = ['\ud800', '\ud801', '\ufffd'].map((reference) => ({
    reference,
    bookedAt: undefined,
  }));
  assert.deepEqual(roundTrip(records), records);
});

test('the longest reference has room', () => {
  const longest = { reference: '\u{1f4e6}'.repeat(128), bookedAt: 1 };
  assert.equal(writeRecord(Buffer.alloc(maxRecordBytes), 0, longest), maxRecordBytes);
  assert.deepEqual(roundTrip([longest]), [longest]);
});

test('a booking of a UUID takes 47 bytes', () => {
  assert.equal(
    writeRecord(Buffer.alloc(600), 0, { reference: crypto.randomUUID(), bookedAt: 1 }),
    47,
  );
});
