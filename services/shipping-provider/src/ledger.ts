import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LedgerEntry } from '@orders/contracts/shipping';
import { messageOf } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';

/**
 * A booking: its number, counted from 1 in the order of booking, and its time in milliseconds since
 * 1970.
 */
export type Booking = { number: number; at: number };

/** The ledger's account of a reference; `first` is its first booking. */
type Account = { posts: number; bookings: number; first: Booking | undefined };

export type Ledger = ReturnType<typeof openLedger>;

/** A tracking number is the booking number in other clothes: the ledger need not keep it. */
export const trackingNumberOf = (booking: Booking): string =>
  `MP${String(booking.number).padStart(12, '0')}`;

/** A power cut costs at most the POSTs of this long. A killed process loses nothing. */
const syncEveryMs = 1_000;
/** A listing of the ledger reads this many references at a time. */
const pageSize = 1_000;

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = 0;
  CREATE TABLE IF NOT EXISTS accounts (
    reference BLOB PRIMARY KEY,
    posts INTEGER NOT NULL,
    bookings INTEGER NOT NULL,
    first_number INTEGER,
    first_at INTEGER,
    first_content TEXT
  ) WITHOUT ROWID`;

const countPost = `
  INSERT INTO accounts (reference, posts, bookings, first_number, first_at, first_content)
  VALUES (?, 1, ?, ?, ?, ?)
  ON CONFLICT (reference) DO UPDATE SET
    posts = posts + 1,
    bookings = bookings + excluded.bookings,
    first_number = coalesce(first_number, excluded.first_number),
    first_content = CASE
      WHEN first_number IS NULL THEN excluded.first_content ELSE first_content END,
    first_at = coalesce(first_at, excluded.first_at)`;

const findOne = `
  SELECT posts, bookings, first_number, first_at
  FROM accounts
  WHERE reference = ?`;

const findPage = `
  SELECT reference, posts, bookings, first_number, first_at, first_content
  FROM accounts
  WHERE reference > ?
  ORDER BY reference
  LIMIT ${pageSize}`;

const sumUp = `
  SELECT count(*) AS size, coalesce(sum(bookings), 0) AS booked
  FROM accounts`;

type Numbers = {
  posts: number;
  bookings: number;
  first_number: number | null;
  first_at: number | null;
};
type Row = Numbers & { reference: Uint8Array; first_content: string | null };

/**
 * The ledger of all POSTs and bookings by reference: a table of SQLite in the file `path`, in
 * memory without one. All POSTs of one turn of the event loop share a transaction. Show a record to
 * a caller only after `written`. Throws an Error that names the file where it cannot be opened.
 */
export function openLedger({ path, log }: { path?: string | undefined; log: Log }) {
  const { database, find, post, page, totals } = openTable(path);
  let { booked } = totals();
  let open: PromiseWithResolvers<void> | undefined;
  let isDirty = false;
  let fault: Error | undefined;

  /** Carries out the work, unless SQLite has failed before: then the file is left as it is. */
  function attempt<T>(work: () => T): T | undefined {
    if (fault !== undefined) return undefined;
    try {
      return work();
    } catch (error) {
      fault = error as Error;
      log.error({ err: error }, 'the ledger cannot be used: no shipments until a restart');
      return undefined;
    }
  }

  function begin(): void {
    if (path === undefined || open !== undefined) return;
    open = Promise.withResolvers();
    attempt(() => database.exec('BEGIN IMMEDIATE'));
    setImmediate(commit);
  }

  function commit(): void {
    if (open === undefined) return;
    attempt(() => database.exec('COMMIT'));
    isDirty = true;
    open.resolve();
    open = undefined;
  }

  /** Moves the write-ahead log into the table, with fsync; no transaction may be open for that. */
  function sync(): void {
    commit();
    if (isDirty) attempt(() => database.exec('PRAGMA wal_checkpoint(PASSIVE)'));
    isDirty = false;
  }
  const syncTimer = path === undefined ? undefined : setInterval(sync, syncEveryMs).unref();

  return {
    /** The reference's account; an empty one where the ledger has none, or has a `fault`. */
    find: (reference: string): Account => toAccount(attempt(() => find(toKey(reference)))),
    /**
     * Counts a POST, and books where `bookedAt` (milliseconds since 1970) is given; returns that
     * booking. `content`: a hash of what is booked.
     */
    record(
      reference: string,
      bookedAt?: number,
      content: string | null = null,
    ): Booking | undefined {
      begin();
      const booking = bookedAt === undefined ? undefined : { number: ++booked, at: bookedAt };
      attempt(() => post(toKey(reference), booking, content));
      return booking;
    },
    /**
     * Resolves, never rejects, when all that is recorded so far survives a kill or `fault` says why
     * not; undefined when it does.
     */
    written: (): Promise<void> | undefined => open?.promise,
    /** Why the file cannot be read or written; the ledger must not be shown any more. */
    fault: (): Error | undefined => fault,
    references: (): number => totals().size,
    /**
     * Every reference of now, sorted by UTF-16 code units, in pages. A POST that is recorded
     * meanwhile may or may not show. Throws where the file cannot be read.
     */
    async *entries(): AsyncGenerator<LedgerEntry[]> {
      let rows: Row[] = [];
      let last: Uint8Array = Buffer.alloc(0);
      do {
        rows = page(last);
        last = rows.at(-1)?.reference ?? last;
        yield rows.map(toEntry);
        await nextTurn();
      } while (rows.length === pageSize);
    },
    /** Writes the rest, with fsync. Record nothing afterwards. */
    async close(): Promise<void> {
      clearInterval(syncTimer);
      sync();
      database.close();
    },
  };
}

/** The file and its four statements. */
function openTable(path: string | undefined) {
  const database = openDatabase(path);
  const [find, post] = [database.prepare(findOne), database.prepare(countPost)];
  const [page, totals] = [database.prepare(findPage), database.prepare(sumUp)];
  return {
    database,
    find: (key: Uint8Array) => find.get(key) as Numbers | undefined,
    post(key: Uint8Array, booking: Booking | undefined, content: string | null): void {
      const { number, at } = booking ?? { number: null, at: null };
      post.run(key, booking === undefined ? 0 : 1, number, at, content);
    },
    page: (after: Uint8Array) => page.all(after) as Row[],
    totals: () => totals.get() as { size: number; booked: number },
  };
}

function openDatabase(path: string | undefined): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path ?? ':memory:', { timeout: 5_000 });
    database.exec(schema);
    addContent(database);
    return database;
  } catch (cause) {
    database?.close();
    throw new Error(
      `The ledger ${path} cannot be opened: ${messageOf(cause)}. Move it away to start with an empty one.`,
      { cause },
    );
  }
}

/** A file from before bookings had a hash of their content gets the column. */
function addContent(database: DatabaseSync): void {
  const columns = database.prepare('PRAGMA table_info(accounts)').all();
  if (!columns.some(({ name }) => name === 'first_content'))
    database.exec('ALTER TABLE accounts ADD COLUMN first_content TEXT');
}

/**
 * UTF-16, most significant byte first: SQLite then sorts as JavaScript does, and no two references
 * become one, as those with lone surrogates would in UTF-8.
 */
const toKey = (reference: string): Uint8Array => Buffer.from(reference, 'utf16le').swap16();
const toReference = (key: Uint8Array): string => Buffer.from(key).swap16().toString('utf16le');

function toAccount(row: Numbers | undefined): Account {
  if (row === undefined) return { posts: 0, bookings: 0, first: undefined };
  const { posts, bookings, first_number: number, first_at: at } = row;
  return { posts, bookings, first: number === null || at === null ? undefined : { number, at } };
}

function toEntry(row: Row): LedgerEntry {
  const { posts, bookings, first } = toAccount(row);
  const trackingNumber = first === undefined ? null : trackingNumberOf(first);
  const { reference, first_content: content } = row;
  return { reference: toReference(reference), bookings, posts, trackingNumber, content };
}
