import type { Noticed, Scan, Watch } from '../../src/operate/sentinel.ts';
import type { Log } from '../../src/process/log.ts';

/**
 * One whole round of a sentinel, every look until it has seen all: orders by what was noticed of
 * them, and the statements it took.
 */
export async function lookAround({ search, recheck }: Watch) {
  const seen = {
    stuck: {} as Record<string, string>,
    recovered: {} as Record<string, string>,
    statements: 0,
  };
  const byOrder = (noticed: Noticed[] = []) =>
    Object.fromEntries(noticed.map(({ orderId, reason }) => [orderId, reason]));
  const run = async (look: Scan): Promise<void> => {
    let after: string[] | null = null;
    do {
      const scan: Awaited<ReturnType<Scan>> = await look(after);
      seen.statements += 1;
      Object.assign(seen.stuck, byOrder(scan.stuck));
      Object.assign(seen.recovered, byOrder(scan.recovered));
      after = scan.next;
    } while (after !== null && seen.statements < 1_000);
  };
  for (const look of [...search, recheck]) await run(look);
  return seen;
}

/** A log that keeps its lines: the message, and the ids of the orders it names. */
export function keepingLog() {
  const lines: { message: string; orders: string[] }[] = [];
  const keep = (fields: { orders?: { orderId: string }[] }, message: string): void => {
    lines.push({ message, orders: fields.orders?.map(({ orderId }) => orderId) ?? [] });
  };
  const log = {
    warn: keep,
    info: keep,
    debug: () => undefined,
    child: () => log,
  } as unknown as Log;
  return { log, lines };
}
