import type { OrderStatus } from '@orders/contracts/orders/api';
import { hasReached } from '../order-status.ts';
import type { OrderChanges } from './changes.ts';

/**
 * Resolves when the order has the status or can no longer reach it, after `timeoutMs`, when
 * `signal` aborts or the service closes. Rejects with CodedError: overloaded, store_unavailable.
 */
export async function waitForStatus(
  changes: OrderChanges,
  wait: { orderId: string; status: OrderStatus; timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const { orderId, status, timeoutMs, signal } = wait;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  const end = (): void => resolve();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    const stop = await changes.follow({
      orderId,
      notify: (order) => {
        if (hasReached(order.status, status)) end();
      },
      end,
    });
    await over.finally(stop);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
