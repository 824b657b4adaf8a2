import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '@orders/platform/process/log';
import { until } from '@orders/platform/test/kit/until';
import type { OrderChangesStore } from '../../src/change-log.ts';
import { createOrderChanges } from '../../src/show/changes.ts';
import type { OrderEntry, OrderQueries } from '../../src/show/order-queries.ts';

test('after a gap in which changes may have been purged, who follows all is ended and who follows one is told again', async (t) => {
  let looks = 0;
  let atMs = 0;
  const store: OrderChangesStore = {
    async since() {
      looks += 1;
      return { snapshot: 's', atMs, orderIds: [] };
    },
    purge: async () => 0,
  };
  const queries = {
    some: async (orderIds: string[]) => orderIds.map((orderId) => ({ orderId }) as OrderEntry),
  } as Partial<OrderQueries> as OrderQueries;
  const log = createLog({ level: 'silent', isTerminal: false });
  const changes = createOrderChanges({ store, queries, log });
  t.after(() => changes.close());
  const counts = { told: 0, ended: 0, endedAll: 0 };
  await changes.follow({
    orderId: 'one',
    notify() {
      counts.told += 1;
    },
    end() {
      counts.ended += 1;
    },
  });
  await changes.follow({
    orderId: null,
    notify: () => undefined,
    end() {
      counts.endedAll += 1;
    },
  });
  await until('two more looks', () => {
    changes.ring();
    return looks >= 3;
  });
  assert.deepEqual(counts, { told: 1, ended: 0, endedAll: 0 });
  atMs += 31_000;
  await until('it is told again', () => {
    changes.ring();
    return counts.told === 2;
  });
  assert.deepEqual(counts, { told: 2, ended: 0, endedAll: 1 });
});
