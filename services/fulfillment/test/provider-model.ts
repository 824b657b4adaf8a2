import type { Outcome } from '../src/outcome.ts';

const shipped: Outcome = {
  kind: 'shipped',
  trackingNumber: 'T',
  carrier: null,
  shippedAt: '2026-01-20T21:09:00.000Z',
};
/** At this fate everything works. */
export const good = 7;

/**
 * A provider that keeps no keys: whatever is sent is booked again. `fate` chooses what becomes of a
 * call.
 */
export function createProviderModel(settleMs: number) {
  /**
   * From when on a look-up shows each booking; a provider books within the settle time of the
   * sending.
   */
  const shownFrom: number[] = [];
  const book = (shownAt: number, outcome: Outcome): Outcome => {
    shownFrom.push(shownAt);
    return outcome;
  };
  return {
    bookings: () => shownFrom.length,
    post(now: number, fate: number): Outcome {
      if (fate === good) return book(now, shipped);
      const fates: (() => Outcome)[] = [
        () => book(now, shipped),
        () =>
          book(now + (fate % settleMs), {
            kind: 'unknown',
            error: 'answer lost, booked or shown late',
          }),
        () => ({ kind: 'unknown', error: 'timeout, never booked' }),
        () => ({ kind: 'not_booked', error: '503', retryAfterMs: fate }),
        () => ({ kind: 'not_sent', error: 'ECONNREFUSED' }),
        () => ({ kind: 'put_off', error: 'open' }),
        () => ({ kind: 'misconfigured', error: '401' }),
        () => ({ kind: 'refused', error: '422' }),
      ];
      return (fates[fate % fates.length] as () => Outcome)();
    },
    lookUp(now: number, fate: number): Outcome {
      if (fate !== good && fate % 2 === 0) return { kind: 'no_answer', error: '500' };
      return shownFrom.some((shownAt) => shownAt <= now) ? shipped : { kind: 'not_found' };
    },
  };
}

export type Told = { sequence: number; status: string };

/** What the Order Service shows, by `isNewer`; throws when it would show a step back. */
export function createProjectionModel(isNewer: (event: Told, shown: Told | undefined) => boolean) {
  let shown: Told | undefined;
  return {
    status: () => shown?.status,
    take(event: Told, wasRetried: boolean): void {
      if (!isNewer(event, shown)) return;
      const before = shown?.status ?? 'Created';
      const isFinal =
        before === 'Shipped' || before === 'Cancelled' || (before === 'Failed' && !wasRetried);
      const isBack =
        event.status !== before &&
        (isFinal || (before !== 'Created' && event.status === 'Processing'));
      if (isBack) throw new Error(`status goes back from ${before} to ${event.status}`);
      shown = event;
    },
  };
}
