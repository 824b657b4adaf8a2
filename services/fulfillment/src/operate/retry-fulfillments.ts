import type {
  RetryAnswer,
  RetryFilter,
  RetryRequest,
  RetrySkipped,
} from '@orders/contracts/fulfillments/api';
import { fromPageToken, toPageToken } from '@orders/platform/http/paging';
import { bodyError } from '@orders/platform/http/request-validation';
import type { Log } from '@orders/platform/process/log';
import { toEvent, toOutboxRow } from '../fulfillment-event.ts';
import { type PlannedRetry, planRetry, type RetryCandidate } from './retry-plan.ts';
import type { RetryStore, RetryWriting } from './retry-store.ts';

export type RetryFulfillments = {
  /**
   * Hands what failed back to the dispatcher, or with `dryRun` tells what that would do. Repeating
   * it, also after an error, only makes due again what is still open. @throws 400 for a request
   * that is neither of orders nor of a filter
   */
  retry(request: RetryRequest, operator: string): Promise<RetryAnswer>;
};

/**
 * The operator's retry; see `planRetry` for what it touches and `RetryStore.retry` for why nothing
 * ships twice.
 */
export function createRetryFulfillments(parts: { store: RetryStore; log: Log }): RetryFulfillments {
  const { store } = parts;
  const log = parts.log.child({ part: 'operator' });

  return {
    async retry(request, operator) {
      const { dryRun, ratePerSecond, reason } = request;
      const { candidates, unknown, next } = await select(request);
      const { retries, skipped } = planRetry(candidates, ratePerSecond);
      const answer = {
        dryRun,
        matched: candidates.length,
        more: next !== null,
        nextPageToken: next && toPageToken(next),
      };
      const readAt = Date.now();
      if (dryRun) {
        const touched = retries.map(({ entry, dueMs }) => ({
          ...entry,
          dueAt: new Date(readAt + dueMs).toISOString(),
        }));
        return { ...answer, touched, skipped: [...skipped, ...unknown] };
      }
      const record = { operator, reason, request, skipped: skipped.length + unknown.length };
      const due = await store.retry(
        retries.map((retry) => toWriting(retry, new Date(readAt))),
        record,
      );
      log.info(
        { operator, reason, retried: due.size, skipped: record.skipped },
        'operator retries fulfillments',
      );
      const touched = retries.flatMap(({ entry }) => {
        const dueAt = due.get(entry.orderId);
        return dueAt === undefined ? [] : [{ ...entry, dueAt: dueAt.toISOString() }];
      });
      const changed = retries
        .filter(({ entry }) => !due.has(entry.orderId))
        .map(({ entry }) => ({ orderId: entry.orderId, why: 'has changed meanwhile' }));
      return { ...answer, touched, skipped: [...skipped, ...changed, ...unknown] };
    },
  };

  async function select(request: RetryRequest): Promise<{
    candidates: RetryCandidate[];
    unknown: RetrySkipped[];
    next: string | null;
  }> {
    const { orderIds, filter, limit, pageToken } = request;
    if (filter !== undefined && orderIds === undefined) {
      const after = pageToken === undefined ? undefined : fromPageToken(pageToken, 'body');
      if (!request.dryRun && filter.state === 'Failed' && !isNarrow(filter))
        throw bodyError(
          '/filter',
          'needs createdFrom, createdTo or errorContains: it would touch everything that ever failed',
        );
      return { ...(await store.ofFilter(bounded(filter), limit, after)), unknown: [] };
    }
    if (orderIds === undefined) throw bodyError('/orderIds', 'is required, or else filter');
    if (filter !== undefined) throw bodyError('/filter', 'must not stand beside orderIds');
    const asked = [...new Set(orderIds.map((orderId) => orderId.toLowerCase()))];
    const candidates = await store.ofOrders(asked);
    const found = new Set(candidates.map(({ orderId }) => orderId));
    const unknown = asked
      .filter((orderId) => !found.has(orderId))
      .map((orderId) => ({ orderId, why: 'is not known' }));
    return { candidates, unknown, next: null };
  }

  function toWriting({ candidate, dueMs }: PlannedRetry, now: Date): RetryWriting {
    const { sequence, attempts, error, failedAttempts } = candidate;
    const after = {
      state: 'Retrying',
      sequence: sequence + 1,
      attempts,
      error,
      failedAttempts,
      dueMs,
      shipment: null,
    } as const;
    const event = toEvent(candidate, after, 'FulfillmentRetrying', now);
    return { candidate, dueMs, event: toOutboxRow(event, candidate) };
  }
}

const isNarrow = ({ createdFrom, createdTo, errorContains }: RetryFilter): boolean =>
  [createdFrom, createdTo, errorContains].some((bound) => bound !== undefined);

/** PostgreSQL's calendar has no year 0, and JavaScript's no leap seconds. */
const earliest = Date.parse('0001-01-01T00:00:00Z');

function bounded(filter: RetryFilter): RetryFilter {
  const bounds = (['createdFrom', 'createdTo'] as const).flatMap((name) => {
    const moment = filter[name];
    if (moment === undefined) return [];
    const time = Date.parse(moment);
    if (Number.isNaN(time)) throw bodyError(`/filter/${name}`, 'must be a time');
    return [[name, new Date(Math.max(earliest, time)).toISOString()]];
  });
  return { ...filter, ...Object.fromEntries(bounds) };
}
