import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { TestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import type { Policy } from '../src/fulfillment.ts';
import { fulfillmentTables, newIds, orderCreated, orderEvent } from './fulfillment-instance.ts';
import { type Answer, scriptedProvider } from './scripted-provider.ts';

export const down: Answer = { status: 503, headers: { 'retry-after': '0.0333' } };

/** One order, one instance, one provider that answers by script. */
export async function oneOrder(
  t: TestContext,
  postgres: TestPostgres,
  script: { policy?: Partial<Policy>; providerUrl?: string } = {},
) {
  const provider = await scriptedProvider(t);
  const tables = await fulfillmentTables(t, postgres);
  const [id = ''] = newIds(1);
  const instance = tables.instanceOf('a', { providerUrl: provider.url, ...script });
  const begin = async () => {
    instance.start();
    await instance.handle([orderEvent(orderCreated(id))]);
  };
  const untilState = (state: string) =>
    until(`it is ${state}`, async () => (await tables.stateOf(id)) === state);
  /** Events are published after the state is written. */
  const untilTold = async (types: string[]) => {
    await until(`${types} are told`, () => tables.told(id).length >= types.length);
    assert.deepEqual(
      tables.told(id).map(({ eventType }) => eventType),
      types,
    );
    assert.deepEqual(
      tables.told(id).map(({ sequence }) => sequence),
      types.map((_, i) => i + 1),
    );
  };
  return {
    ...tables,
    provider,
    id,
    instance,
    begin,
    untilState,
    untilTold,
    row: () => tables.row(id),
  };
}
