import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Log } from '@orders/platform/process/log';
import { makeDirectory } from '@orders/platform/process/make-directory';
import { type LedgerRecord, maxRecordBytes, readRecords, writeRecord } from './ledger-record.ts';

/**
 * A frame is what one write appended: the payload's length (4 bytes), its CRC-32 (4), then records.
 */
const headerBytes = 8;
/** More than this waiting for a slow disk is refused. */
const maxPendingBytes = 8 * 1024 * 1024;
const maxFrameBytes = 2 * maxPendingBytes;
/**
 * What a power cut can cost at most. A killed process loses nothing: what is written stays in the
 * page cache.
 */
const syncEveryMs = 1_000;
const readBytes = 1024 * 1024;

export type LedgerFile = Awaited<ReturnType<typeof openLedgerFile>>;

/**
 * Opens the append-only file, replays it into `onRecord` and takes further records. A last frame
 * that a kill cut short is dropped; throws an Error that names file and byte where a whole frame is
 * damaged. One process per file: a second one would write over the first one's frames.
 */
export async function openLedgerFile(
  path: string,
  log: Log,
  onRecord: (record: LedgerRecord) => void,
) {
  await makeDirectory(dirname(path), 'DATA_DIR');
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const { position, torn } = await replay(handle, path, onRecord);
    if (torn > 0)
      log.warn({ path, position, torn }, 'the last write to the ledger was cut short: dropped');
    return createWriter(handle, position, log);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function replay(handle: FileHandle, path: string, onRecord: (record: LedgerRecord) => void) {
  let position = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of handle.createReadStream({
    start: 0,
    autoClose: false,
    highWaterMark: readBytes,
  })) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = readFrames(bytes, onRecord, (at) => {
      throw new Error(
        `The ledger ${path} is damaged at byte ${position + at}: move it away to start with an empty one.`,
      );
    });
    position += whole;
    rest = bytes.subarray(whole);
  }
  return { position, torn: rest.length };
}

/** Reads whole frames and returns how many bytes they were. */
function readFrames(
  bytes: Buffer,
  onRecord: (record: LedgerRecord) => void,
  refuse: (at: number) => never,
): number {
  let at = 0;
  while (bytes.length - at >= headerBytes) {
    const length = bytes.readUInt32LE(at);
    if (length === 0 || length > maxFrameBytes) return refuse(at);
    const end = at + headerBytes + length;
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + headerBytes, end);
    if (crc32(payload) !== bytes.readUInt32LE(at + 4)) return refuse(at);
    readRecords(payload, onRecord);
    at = end;
  }
  return at;
}

type Batch = { bytes: Buffer<ArrayBuffer>; used: number; done: Promise<void>; settle: () => void };

function createBatch(bytes: Buffer<ArrayBuffer>): Batch {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { bytes, used: headerBytes, done: promise, settle: resolve };
}

function createWriter(handle: FileHandle, start: number, log: Log) {
  let position = start;
  let gathering = createBatch(Buffer.allocUnsafe(64 * 1024));
  let spare = Buffer.allocUnsafe(64 * 1024);
  let writing: Batch | undefined;
  let isDraining = false;
  let isCut = false;
  let isDirty = false;
  let fault: Error | undefined;

  const fail = (error: unknown) => {
    fault ??= error as Error;
    log.error({ err: error }, 'the ledger cannot be written: no shipments until a restart');
  };

  async function write({ bytes, used }: Batch): Promise<void> {
    bytes.writeUInt32LE(used - headerBytes, 0);
    bytes.writeUInt32LE(crc32(bytes.subarray(headerBytes, used)), 4);
    // Only now, not when opening: a second process that is about to fail on its port must not cut a
    // frame in the making.
    if (!isCut) await handle.truncate(position);
    isCut = true;
    for (let at = 0; at < used; ) {
      const { bytesWritten } = await handle.write(bytes, at, used - at, position + at);
      at += bytesWritten;
    }
    position += used;
    isDirty = true;
  }

  /** What arrives while one batch is being written goes into the next: one write per batch. */
  async function drain(): Promise<void> {
    while (gathering.used > headerBytes) {
      writing = gathering;
      gathering = createBatch(spare);
      if (fault === undefined) await write(writing).catch(fail);
      writing.settle();
      spare = writing.bytes;
      writing = undefined;
    }
    isDraining = false;
  }

  const sync = async () => {
    if (!isDirty || fault !== undefined) return;
    isDirty = false;
    await handle.datasync().catch(fail);
  };
  const syncTimer = setInterval(sync, syncEveryMs).unref();

  return {
    append(record: LedgerRecord): void {
      if (gathering.bytes.length - gathering.used < maxRecordBytes) {
        gathering.bytes = Buffer.concat([gathering.bytes], gathering.bytes.length * 2);
      }
      gathering.used = writeRecord(gathering.bytes, gathering.used, record);
      if (isDraining) return;
      isDraining = true;
      setImmediate(drain);
    },
    /**
     * Resolves, never rejects, when the records so far are written or `fault` says why not;
     * undefined when they are.
     */
    written: (): Promise<void> | undefined =>
      gathering.used > headerBytes ? gathering.done : writing?.done,
    isFull: (): boolean => gathering.used >= maxPendingBytes,
    fault: (): Error | undefined => fault,
    /** Writes what is left, with fsync. Append nothing afterwards. */
    async close(): Promise<void> {
      clearInterval(syncTimer);
      await (gathering.used > headerBytes ? gathering.done : writing?.done);
      await sync();
      await handle.close();
    },
  };
}
