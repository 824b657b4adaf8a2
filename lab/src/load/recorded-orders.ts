import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

/** One line of a file of recorded orders, as far as it is posted. */
export type RecordedOrder = {
  invoiceNo: string;
  customerId: string | null;
  items: { productId: string; quantity: number; unitPrice: number }[];
};

/** An order of the file, ready to be posted. `line` counts from 1. */
export type ReplayedOrder = { line: number; invoiceNo: string; body: string };

/** What a person can put right: the message says what to do, and no stack is shown. */
export class ReplayError extends Error {
  override readonly name = 'ReplayError';
}

export type RecordedOrders = {
  /**
   * In the file's order; empty lines are passed over. Throws ReplayError naming file and line for
   * what is no recorded order.
   */
  orders: AsyncGenerator<ReplayedOrder>;
  /** How much of the file was read so far, 0 to 1. */
  shareRead(): number;
  /** Closes the file, read or not. */
  close(): void;
};

/**
 * Opens a `.ndjson` or `.ndjson.gz` file as a stream. Throws ReplayError where there is no readable
 * file.
 */
export async function openOrders(file: string): Promise<RecordedOrders> {
  const found = await stat(file).catch((error: Error) => {
    throw new ReplayError(
      `Cannot read ${file}: ${error.message}\nTry: npm run replay -- samples/online-retail.ndjson`,
    );
  });
  if (!found.isFile())
    throw new ReplayError(`${file} is not a file: give a .ndjson or .ndjson.gz file.`);
  const bytes = createReadStream(file);
  return {
    orders: readOrders(bytes, file),
    shareRead: () => bytes.bytesRead / Math.max(1, found.size),
    close() {
      bytes.destroy();
    },
  };
}

async function* readOrders(bytes: ReadStream, file: string): AsyncGenerator<ReplayedOrder> {
  let line = 0;
  try {
    for await (const text of linesOf(bytes, file.endsWith('.gz'))) {
      line += 1;
      if (text.trim() !== '') yield toReplayed(text, line, file);
    }
  } catch (error) {
    if (error instanceof ReplayError) throw error;
    throw new ReplayError(
      `Cannot read ${file} after line ${line}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

async function* linesOf(bytes: ReadStream, isPacked: boolean): AsyncGenerator<string> {
  const text = isPacked ? bytes.pipe(createGunzip()) : bytes;
  // A pipe does not hand an error of its source on, and the reader of the other end would wait for
  // ever.
  if (text !== bytes) bytes.on('error', (error) => text.destroy(error));
  text.setEncoding('utf8');
  let rest = '';
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}

function toReplayed(text: string, line: number, file: string): ReplayedOrder {
  let order: RecordedOrder | null;
  try {
    order = JSON.parse(text);
  } catch {
    throw new ReplayError(`Line ${line} of ${file} is not JSON: expected one order per line.`);
  }
  if (order === null || typeof order !== 'object' || !Array.isArray(order.items)) {
    throw new ReplayError(
      `Line ${line} of ${file} is no order: it needs invoiceNo, customerId and items.`,
    );
  }
  return { line, invoiceNo: String(order.invoiceNo), body: toBody(order) };
}

/**
 * The body for POST /api/orders. Nothing is repaired: what was missing or negative stays so and is
 * the API's to judge.
 */
export function toBody({ customerId, items }: RecordedOrder): string {
  return JSON.stringify({
    ...(customerId !== null && { customerId }),
    customerName: `Customer ${customerId ?? 'unknown'}`,
    currency: 'GBP',
    items: items.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice })),
  });
}
