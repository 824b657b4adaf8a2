import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NewOrder } from '@orders/contracts/orders/api';
import { createValidator } from '@orders/platform/process/validator';
import { type RecordedOrder, toBody } from '../load/recorded-orders.ts';

const file = join(import.meta.dirname, '../../../samples/online-retail.ndjson');

/** The bodies of those sample orders that the API accepts. */
export async function readSampleBodies(): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const validator = createValidator(NewOrder);
  return lines
    .map((line) => toBody(JSON.parse(line) as RecordedOrder))
    .filter((body) => validator.accepts(JSON.parse(body)));
}
