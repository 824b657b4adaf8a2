import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderStatus } from '@orders/contracts/orders/api';
import { CodedError } from '@orders/platform/process/errors';
import { within } from '@orders/platform/test/kit/until';
import type { Follower, OrderChanges } from '../../src/show/changes.ts';
import type { OrderEntry } from '../../src/show/order-queries.ts';
import { waitForStatus } from '../../src/show/wait-for-status.ts';

/** Changes that the test tells itself; `watching` counts who has not stopped. */
function scripted() {
  const state = { watching: 0, follower: undefined as Follower | undefined };
  const changes: OrderChanges = {
    async follow(follower) {
      state.watching += 1;
      state.follower = follower;
      return () => {
        state.watching -= 1;
      };
    },
    ring: () => undefined,
    close: async () => undefined,
  };
  const notify = (status: OrderStatus) => state.follower?.notify({ status } as OrderEntry);
  return { changes, state, notify };
}

const gone = new AbortController();
const forShipped = (timeoutMs = 60_000, signal = gone.signal) =>
  ({ orderId: 'id', status: 'Shipped', timeoutMs, signal }) as const;

test('a wait goes on until the status is told, or one from which it cannot be reached', async () => {
  for (const last of ['Shipped', 'Failed', 'Cancelled'] as const) {
    const { changes, state, notify } = scripted();
    const waiting = waitForStatus(changes, forShipped());
    for (const status of ['Created', 'Pending', 'Processing', 'Retrying'] as const) notify(status);
    assert.equal(state.watching, 1);
    notify(last);
    await within(last, waiting, 1_000);
    assert.equal(state.watching, 0);
  }
});

test('a wait ends with its time, its client or its service, and frees its place', async () => {
  const client = new AbortController();
  const ends: Record<string, (parts: ReturnType<typeof scripted>) => Promise<void>> = {
    time: ({ changes }) => waitForStatus(changes, forShipped(5)),
    client({ changes }) {
      const waiting = waitForStatus(changes, forShipped(60_000, client.signal));
      client.abort();
      return waiting;
    },
    'client that had gone before': ({ changes }) =>
      waitForStatus(changes, forShipped(60_000, AbortSignal.abort())),
    service({ changes, state }) {
      const waiting = waitForStatus(changes, forShipped());
      state.follower?.end();
      return waiting;
    },
  };
  for (const [name, end] of Object.entries(ends)) {
    const parts = scripted();
    await within(name, end(parts), 1_000);
    assert.equal(parts.state.watching, 0, name);
  }
});

test('a wait that cannot begin is refused', async () => {
  const { changes } = scripted();
  changes.follow = () => Promise.reject(new CodedError('overloaded', 'full'));
  await assert.rejects(waitForStatus(changes, forShipped()), { code: 'overloaded' });
});
