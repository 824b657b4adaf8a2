/**
 * Group commit: while one batch is being carried out, arrivals gather; then one call carries them
 * all. At low load an item waits for nothing, at high load the cost of a commit is shared by
 * hundreds.
 */
export type Batcher<T, R> = {
  /**
   * Resolves with the item's own result. Rejects with `QueueFull` at once when the queue is at its
   * limit.
   */
  add(item: T): Promise<R>;
  /** Items that wait or are being carried out. */
  readonly size: number;
  /** Carries out what waits; further items are refused. */
  close(): Promise<void>;
};

export class QueueFull extends Error {
  constructor(name: string) {
    super(`The queue "${name}" is full or closed.`);
    this.name = 'QueueFull';
  }
}

export type BatcherOptions<T, R> = {
  name: string;
  /** Carries out one batch; resolves to one result per item, in order. */
  flush: (items: T[]) => Promise<R[]>;
  itemsMax: number;
  /** With `bytesOf`: a batch ends before it exceeds this (a single larger item goes alone). */
  bytesMax?: number;
  bytesOf?: (item: T) => number;
  /** Items that may wait, and with `bytesOf` their bytes; bounds the memory. */
  queueMax: number;
  queueBytesMax?: number;
  /** A batch smaller than `lingerItems` waits this long for company. */
  lingerMs?: number;
  lingerItems?: number;
  /**
   * Errors of one item that must not fail its neighbours: the batch is halved until the bad item
   * stands alone.
   */
  splitOn?: (error: unknown) => boolean;
};

type Waiting<T, R> = {
  item: T;
  bytes: number;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
};

export function createBatcher<T, R>(options: BatcherOptions<T, R>): Batcher<T, R> {
  const { name, flush, itemsMax, queueMax, lingerMs = 0, lingerItems = itemsMax } = options;
  const {
    bytesOf = () => 0,
    bytesMax = Number.POSITIVE_INFINITY,
    queueBytesMax = Number.POSITIVE_INFINITY,
  } = options;
  let queue: Waiting<T, R>[] = [];
  let queuedBytes = 0;
  let isRunning = false;
  let inHand = 0;
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let isClosed = false;
  const drained = Promise.withResolvers<void>();

  function wake(): void {
    if (queue.length === 0 || isRunning) return;
    if (lingerMs > 0 && queue.length < lingerItems && !isClosed) {
      timer ??= setTimeout(run, lingerMs);
      return;
    }
    if (lingerMs > 0) run();
    // After this turn of the event loop: requests that arrived together go together.
    else timer ??= setImmediate(run);
  }

  function run(): void {
    if (timer !== undefined) {
      clearTimeout(timer as NodeJS.Timeout);
      clearImmediate(timer as NodeJS.Immediate);
    }
    timer = undefined;
    if (queue.length === 0 || isRunning) return;
    const batch = takeBatch();
    isRunning = true;
    inHand += batch.length;
    void carryOut(batch).finally(() => {
      isRunning = false;
      inHand -= batch.length;
      if (isClosed && queue.length === 0 && !isRunning) drained.resolve();
      // The commit that just ended was the linger of those who came meanwhile.
      if (lingerMs > 0) run();
      else wake();
    });
  }

  function takeBatch(): Waiting<T, R>[] {
    let count = 0;
    let bytes = 0;
    for (const waiting of queue) {
      if (count === itemsMax || (count > 0 && bytes + waiting.bytes > bytesMax)) break;
      count += 1;
      bytes += waiting.bytes;
    }
    queuedBytes -= bytes;
    const batch = queue.slice(0, count);
    queue = count === queue.length ? [] : queue.slice(count);
    return batch;
  }

  async function carryOut(batch: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await flush(batch.map(({ item }) => item));
      for (const [i, waiting] of batch.entries()) waiting.resolve(results[i] as R);
    } catch (error) {
      if (batch.length === 1 || options.splitOn?.(error) !== true) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await carryOut(batch.slice(0, half));
      await carryOut(batch.slice(half));
    }
  }

  return {
    add(item) {
      const bytes = bytesOf(item);
      const isFull =
        queue.length >= queueMax || (queue.length > 0 && queuedBytes + bytes > queueBytesMax);
      if (isClosed || isFull) return Promise.reject(new QueueFull(name));
      queuedBytes += bytes;
      return new Promise<R>((resolve, reject) => {
        queue.push({ item, bytes, resolve, reject });
        wake();
      });
    },
    get size() {
      return queue.length + inHand;
    },
    async close() {
      isClosed = true;
      if (queue.length === 0 && !isRunning) return;
      wake();
      await drained.promise;
    },
  };
}
