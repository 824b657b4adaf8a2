/**
 * A POST as the ledger's file keeps it: flags (1 byte), length of the reference in bytes (2), the
 * reference, and where it was booked the time in milliseconds since 1970 (8, a double). Little
 * endian.
 */
export type LedgerRecord = { reference: string; bookedAt: number | undefined };

const booked = 1;
const wide = 2;
const onlyLatin1 = /^[\0-\xff]*$/;

/** No record is longer: references have at most 128 code points. */
export const maxRecordBytes = 1 + 2 + 128 * 4 + 8;

/**
 * Writes the record at `offset` and returns the offset behind it. The buffer must have room for
 * `maxRecordBytes`.
 */
export function writeRecord(
  bytes: Buffer,
  offset: number,
  { reference, bookedAt }: LedgerRecord,
): number {
  const isWide = !onlyLatin1.test(reference);
  bytes[offset] = (bookedAt === undefined ? 0 : booked) | (isWide ? wide : 0);
  // UTF-16 rather than UTF-8: it keeps lone surrogates, so that no two references become one.
  const length = bytes.write(reference, offset + 3, isWide ? 'utf16le' : 'latin1');
  bytes.writeUInt16LE(length, offset + 1);
  const end = offset + 3 + length;
  return bookedAt === undefined ? end : bytes.writeDoubleLE(bookedAt, end);
}

/** Calls `onRecord` with every record of a frame's payload, in order. The payload must be whole. */
export function readRecords(payload: Buffer, onRecord: (record: LedgerRecord) => void): void {
  let at = 0;
  while (at < payload.length) {
    const flags = payload[at] ?? 0;
    const end = at + 3 + payload.readUInt16LE(at + 1);
    const reference = payload.toString((flags & wide) === 0 ? 'latin1' : 'utf16le', at + 3, end);
    const isBooked = (flags & booked) !== 0;
    onRecord({ reference, bookedAt: isBooked ? payload.readDoubleLE(end) : undefined });
    at = isBooked ? end + 8 : end;
  }
}
