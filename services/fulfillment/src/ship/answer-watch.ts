import type { Log } from '@orders/platform/process/log';
import type { Claimed } from '../fulfillment.ts';
import type { FulfillmentMetrics } from '../metrics.ts';
import type { Outcome } from '../outcome.ts';

/** So many of the last tracking numbers are remembered. */
const numbersMax = 10_000;
const deviationsMax = 100;

/**
 * Logs what is odd about the provider's answers: one that belongs to another order, one tracking
 * number on two orders, and each kind of deviation from the contract once.
 */
export function createAnswerWatch(parts: { metrics: FulfillmentMetrics; log: Log }) {
  const { metrics, log } = parts;
  const seen = new Set<string>();
  const orderOf = new Map<string, string>();

  function shipped(orderId: string, outcome: Outcome & { kind: 'shipped' }): void {
    const { trackingNumber, deviations = [] } = outcome;
    for (const deviation of deviations) {
      if (seen.has(deviation) || seen.size >= deviationsMax) continue;
      seen.add(deviation);
      log.warn({ orderId, deviation }, 'the provider deviates from its contract (logged once)');
    }
    const other = orderOf.get(trackingNumber);
    if (other !== undefined && other !== orderId)
      log.warn({ orderId, other, trackingNumber }, 'two orders have the same tracking number');
    orderOf.delete(trackingNumber);
    orderOf.set(trackingNumber, orderId);
    if (orderOf.size > numbersMax) orderOf.delete(orderOf.keys().next().value as string);
  }

  return {
    see({ orderId, correlationId }: Claimed, outcome: Outcome): void {
      if (outcome.kind === 'shipped') shipped(orderId, outcome);
      else if ('isForeign' in outcome && outcome.isForeign) {
        metrics.foreignAnswers.inc();
        log.error(
          { orderId, correlationId, err: outcome.error },
          'the provider answered with the shipment of another order; it was not adopted',
        );
      }
    },
  };
}
