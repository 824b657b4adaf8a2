import { type Claimed, decide, type Policy } from '../src/fulfillment.ts';
import type { Outcome } from '../src/outcome.ts';
import { createProjectionModel, createProviderModel, good, type Told } from './provider-model.ts';
import { newRow, type Row } from './row-model.ts';

type Act = 'order' | 'cancel' | 'claim' | 'begin' | 'end' | 'renew' | 'crash';

/**
 * What a step of the simulation may do; `by` is one of two instances, the numbers choose among what
 * is possible.
 */
export type Step =
  /** `work` is the whole way of what is due: claim, call, report. */
  | { do: Act | 'work'; by: 0 | 1; fate: number }
  | { do: 'retry' }
  | { do: 'deliver'; fate: number }
  | { do: 'wait'; ms: number }
  /** Until the row is due. */
  | { do: 'waitDue' };

/** The rules under test, each of which a planted bug may replace. */
export type Rules = {
  decide: typeof decide;
  isNewer: (event: Told, shown: Told | undefined) => boolean;
  isFenced: boolean;
  leaseEnds: boolean;
  looksUp: boolean;
};
export const rules: Rules = {
  decide,
  isNewer: (event, shown) => shown === undefined || shown.sequence < event.sequence,
  isFenced: true,
  leaseEnds: true,
  looksUp: true,
};

type InHand = { claimed: Claimed; leasedAt: number; outcome: Outcome | undefined };

const leaseMs = 15_000;
const tooOldMs = leaseMs / 2;

/**
 * One order, its row with the rules of the statements (filing-store.ts, fulfillment-store.ts), two
 * instances that may die at any moment, a provider that keeps no keys, and the projection of the
 * Order Service. Throws when something is wrong.
 */
export function createWorld(policy: Policy, { decide: judge, ...rule }: Rules) {
  let now = 0;
  let row: Row | undefined;
  let isCancelAsked = false;
  let wasRetried = false;
  const memory: Map<number, InHand>[] = [new Map(), new Map()];
  const provider = createProviderModel(policy.settleMs);
  const projection = createProjectionModel(rule.isNewer);
  const told: Told[] = [];

  const check = (isRight: boolean, what: string): void => {
    if (!isRight)
      throw new Error(
        `${what}: ${JSON.stringify({ now, row, bookings: provider.bookings(), told })}`,
      );
  };
  const tell = (sequence: number, status: string): void => void told.push({ sequence, status });

  function file(by: 0 | 1, isHandedOver: boolean): void {
    if (row !== undefined) return;
    const isOpen = isHandedOver && !isCancelAsked;
    row = newRow(isOpen ? by : null, now, leaseMs, isCancelAsked);
    tell(1, 'Processing');
    if (isOpen) take(by, { mustLookUp: false, isSettled: false, isCancelRequested: false });
  }
  function take(
    by: 0 | 1,
    more: Pick<Claimed, 'mustLookUp' | 'isSettled' | 'isCancelRequested'>,
  ): void {
    const { state, since, ...rest } = row as Row;
    const claimed = { ...rest, state, ...more, ageMs: now - since } as Claimed;
    memory[by]?.set(claimed.claim, { claimed, leasedAt: now, outcome: undefined });
  }
  function cancel(): void {
    isCancelAsked = true;
    if (row?.dueAt == null) return;
    row.isMarked = true;
    if (row.claimedBy === null) row.dueAt = Math.min(row.dueAt, now);
  }
  function claim(by: 0 | 1): void {
    if (row?.dueAt == null || row.dueAt > now || (row.claimedBy !== null && !rule.leaseEnds))
      return;
    const wasOpen = row.isOpen && rule.looksUp;
    const isUnwanted = row.isMarked || isCancelAsked;
    if (wasOpen && row.settleAt === null) {
      row.abandoned += 1;
      row.wasUnknown = true;
    }
    row.settleAt = wasOpen ? (row.settleAt ?? now + policy.settleMs) : null;
    row.claim += 1;
    row.claimedBy = by;
    row.dueAt = now + leaseMs;
    row.isOpen = wasOpen || !isUnwanted;
    if (!wasOpen && !isUnwanted) [row.attempts, row.mayResend] = [row.attempts + 1, false];
    const isSettled = row.settleAt !== null && row.settleAt <= now;
    take(by, { mustLookUp: wasOpen, isSettled, isCancelRequested: isUnwanted });
  }

  /** The call leaves, or does not: dispatch.ts. */
  function begin(entry: InHand | undefined, fate: number): void {
    if (entry === undefined) return;
    const { claimed, leasedAt } = entry;
    if (claimed.isCancelRequested && !claimed.mustLookUp) entry.outcome = { kind: 'cancelled' };
    else if (now - leasedAt > tooOldMs) entry.outcome = { kind: 'handed_back' };
    else if (!claimed.mustLookUp && now - leasedAt > 250 && isCancelAsked)
      entry.outcome = { kind: 'cancelled' };
    else if (claimed.mustLookUp) entry.outcome = provider.lookUp(now, fate);
    else {
      check(row?.state !== 'Cancelled' && row?.state !== 'Shipped', 'sent what is final');
      entry.outcome = provider.post(now, fate);
      check(provider.bookings() <= 1, 'booked twice');
    }
  }

  function end(by: 0 | 1, entry: InHand | undefined): void {
    if (entry?.outcome === undefined || row === undefined) return;
    const { claimed, outcome } = entry;
    memory[by]?.delete(claimed.claim);
    const call = { durationMs: 1, now: new Date(0), random: 0.5 };
    const decision = judge(claimed, outcome, call, policy);
    const { state, sequence, isAttemptOpen, settleMs, dueMs, eventType } = decision;
    if (rule.isFenced && row.claim !== claimed.claim) return;
    check(!['Shipped', 'Cancelled'].includes(row.state), 'what is final is changed');
    const isDueNow = row.isMarked && !isAttemptOpen;
    const dueAt = dueMs === null ? null : now + (isDueNow ? 0 : dueMs);
    const settleAt =
      settleMs === undefined ? row.settleAt : settleMs === null ? null : now + settleMs;
    const { attempts, retries, failedAttempts, refusal, isHeld } = decision;
    const written = { state, sequence, attempts, retries, failedAttempts, refusal, isHeld };
    row.wasUnknown ||= isAttemptOpen && typeof settleMs === 'number';
    row = { ...row, ...written, isOpen: isAttemptOpen, settleAt, dueAt };
    row.claimedBy = null;
    if (eventType !== null) tell(sequence, state);
    if (state === 'Cancelled') check(isCancelAsked, 'cancelled without a request');
    if (state === 'Shipped') check(provider.bookings() === 1, 'shipped without a booking');
    if (state === 'Cancelled' || state === 'Failed')
      check(provider.bookings() === 0, `${state} although it is booked`);
  }

  /** An operator's retry of what failed, or waits. */
  function retry(): void {
    if (row === undefined || !['Failed', 'Retrying'].includes(row.state)) return;
    if (row.claimedBy !== null && row.dueAt !== null && row.dueAt > now) return;
    row.settleAt = row.isOpen ? row.settleAt : now;
    row.attemptsBefore = row.attempts - row.abandoned;
    const again = {
      state: 'Retrying',
      isOpen: true,
      mayResend: true,
      claimedBy: null,
      retries: 0,
      refusal: null,
      isHeld: false,
    } as const;
    row = {
      ...row,
      ...again,
      claim: row.claim + 1,
      sequence: row.sequence + 1,
      since: now,
      dueAt: now,
    };
    wasRetried = true;
    tell(row.sequence, 'Retrying');
  }

  const pick = <T>(some: T[], fate: number): T | undefined => some[fate % Math.max(1, some.length)];

  function step(one: Step): void {
    if (one.do === 'wait') now += one.ms;
    else if (one.do === 'waitDue') now = Math.max(now, row?.dueAt ?? 0);
    else if (one.do === 'retry') retry();
    else if (one.do === 'deliver') {
      const event = pick(told, one.fate);
      if (event !== undefined) projection.take(event, wasRetried);
    } else if (one.do === 'work')
      for (const part of ['claim', 'begin', 'end'] as const) act(part, one.by, one.fate);
    else act(one.do, one.by, one.fate);
  }
  function act(what: Act, by: 0 | 1, fate: number): void {
    const mine = [...(memory[by] as Map<number, InHand>).values()];
    const waiting = mine.filter(({ outcome }) => outcome === undefined);
    const called = mine.filter(({ outcome }) => outcome !== undefined);
    const acts: Record<Act, () => void> = {
      order: () => file(by, fate % 2 === 0),
      cancel,
      claim: () => claim(by),
      begin: () => begin(pick(waiting, fate), fate),
      end: () => end(by, pick(called, fate)),
      renew: () => renew(pick(mine, fate)),
      crash: () => memory[by]?.clear(),
    };
    acts[what]();
  }
  function renew(entry: InHand | undefined): void {
    if (
      entry === undefined ||
      row?.dueAt == null ||
      row.claimedBy === null ||
      row.claim !== entry.claimed.claim
    )
      return;
    row.dueAt = now + leaseMs;
    entry.leasedAt = now;
  }

  /** Everything works from now on: the order ends, and the projection shows how. */
  function settle(): void {
    memory[0]?.clear();
    file(0, false);
    for (let turns = 0; turns < 100 && row?.dueAt != null; turns += 1) {
      now = Math.max(now, row.dueAt);
      if (row.isOpen && policy.unknownOutcome === 'hold' && turns > 10) retry();
      step({ do: 'work', by: 1, fate: good });
      if (turns === 0) memory[1]?.clear();
    }
    check(row !== undefined && row.dueAt === null, 'it never ends');
    for (const event of told.toReversed()) projection.take(event, wasRetried);
    check(projection.status() === row?.state, 'the projection shows something else');
    check(
      (row?.state === 'Shipped') === (provider.bookings() === 1),
      'booked and shipped are not the same',
    );
    check(
      new Set(told.map(({ sequence }) => sequence)).size === told.length,
      'two events with one sequence',
    );
  }
  return { step, settle, state: () => row?.state };
}
