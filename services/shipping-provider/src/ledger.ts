import type { LedgerEntry } from '@orders/contracts/shipping';
import type { Log } from '@orders/platform/process/log';
import { type LedgerFile, openLedgerFile } from './ledger-file.ts';
import { inOrder } from './sorted-references.ts';

/**
 * A booking: its number, counted from 1 in the order of booking, and its time in milliseconds since
 * 1970.
 */
export type Booking = { number: number; at: number };

/** What the ledger knows of a reference; `first` is its first booking. */
type Account = { posts: number; bookings: number; first: Booking | undefined };

export type Ledger = Awaited<ReturnType<typeof openLedger>>;

/**
 * Tracking numbers are the booking numbers in other clothes, so that the ledger need not keep them.
 */
export const trackingNumberOf = (booking: Booking): string =>
  `MP${String(booking.number).padStart(12, '0')}`;

/**
 * The ledger of all POSTs and bookings by reference, in memory (about 100 bytes a reference), and
 * in `path` where it is given. What is recorded holds at once; show it to a caller only after
 * `written`.
 */
export async function openLedger(options: { path?: string | undefined; log: Log }) {
  const accounts = createAccounts();
  const file: LedgerFile | undefined =
    options.path === undefined
      ? undefined
      : await openLedgerFile(options.path, options.log, ({ reference, bookedAt }) =>
          accounts.count(reference, bookedAt),
        );
  return {
    find: accounts.find,
    /**
     * Counts a POST, and books where `bookedAt` (milliseconds since 1970) is given; returns that
     * booking.
     */
    record(reference: string, bookedAt: number | undefined): Booking | undefined {
      file?.append({ reference, bookedAt });
      return accounts.count(reference, bookedAt);
    },
    /**
     * Resolves, never rejects, when all that is recorded so far survives a kill or `fault` says why
     * not; undefined when it does.
     */
    written: (): Promise<void> | undefined => file?.written(),
    /** The disk does not keep up: record nothing more for now. */
    isFull: (): boolean => file?.isFull() ?? false,
    /** Why the file cannot be written; memory is then ahead of it and must not be shown. */
    fault: (): Error | undefined => file?.fault(),
    references: (): number => accounts.size(),
    /**
     * Every reference of now, sorted by UTF-16 code units, in pieces. What is recorded while it is
     * read may or may not show.
     */
    async *entries(): AsyncGenerator<LedgerEntry[]> {
      for await (const references of inOrder(accounts.references())) {
        yield references.map((reference) => {
          const { posts, bookings, first } = accounts.find(reference);
          return {
            reference,
            bookings,
            posts,
            trackingNumber: first === undefined ? null : trackingNumberOf(first),
          };
        });
      }
    },
    close: async (): Promise<void> => await file?.close(),
  };
}

/**
 * One page holds the numbers of this many references: growing neither copies nor leaves half of it
 * unused.
 */
const pageSize = 65_536;
/**
 * Several maps, because one holds at most 16.7 million entries and stops the process for long when
 * it grows.
 */
const shardCount = 64;

const createPage = () => ({
  posts: new Uint32Array(pageSize),
  bookings: new Uint32Array(pageSize),
  firstNumber: new Uint32Array(pageSize),
  firstAt: new Float64Array(pageSize),
});

function createAccounts() {
  const shards = Array.from({ length: shardCount }, () => new Map<string, number>());
  const pages: ReturnType<typeof createPage>[] = [];
  let size = 0;
  let bookingCount = 0;

  const shardOf = (reference: string): Map<string, number> => {
    const { length } = reference;
    // The last characters differ in every kind of UUID.
    const mixed =
      reference.charCodeAt(length - 1) * 31 + (reference.charCodeAt(length - 2) || 0) * 7 + length;
    return shards[mixed % shardCount] as Map<string, number>;
  };
  const pageOf = (index: number) => (pages[Math.floor(index / pageSize)] ??= createPage());

  function add(shard: Map<string, number>, reference: string): number {
    shard.set(reference, size);
    return size++;
  }

  return {
    find(reference: string): Account {
      const index = shardOf(reference).get(reference);
      if (index === undefined) return { posts: 0, bookings: 0, first: undefined };
      const { posts, bookings, firstNumber, firstAt } = pageOf(index);
      const at = index % pageSize;
      const number = firstNumber[at] ?? 0;
      const first = number === 0 ? undefined : { number, at: firstAt[at] ?? 0 };
      return { posts: posts[at] ?? 0, bookings: bookings[at] ?? 0, first };
    },
    count(reference: string, bookedAt: number | undefined): Booking | undefined {
      const shard = shardOf(reference);
      const index = shard.get(reference) ?? add(shard, reference);
      const page = pageOf(index);
      const at = index % pageSize;
      page.posts[at] = (page.posts[at] ?? 0) + 1;
      if (bookedAt === undefined) return undefined;
      const number = ++bookingCount;
      page.bookings[at] = (page.bookings[at] ?? 0) + 1;
      if (page.firstNumber[at] === 0) {
        page.firstNumber[at] = number;
        page.firstAt[at] = bookedAt;
      }
      return { number, at: bookedAt };
    },
    size: () => size,
    references: () => shards.flatMap((shard) => [...shard.keys()]),
  };
}
