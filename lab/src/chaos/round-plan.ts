import { createRandom, type Random } from '../kit/random.ts';
import {
  embeddedKinds,
  everything,
  type Fault,
  type FaultKind,
  fulfillmentServices,
  kafkaKinds,
  type Mode,
  orderServices,
} from './fault-kinds.ts';

/** One fault, or two of which the second begins while the first lasts. */
type Blow = { gapMs: number; faults: { afterMs: number; fault: Fault }[] };

/** All that a round draws: the same seed, mode and count give the same plan. */
export type RoundPlan = {
  mode: Mode;
  seed: number;
  /** PostgreSQL stands behind proxies; in Kafka mode always. */
  behindProxies: boolean;
  /** Whether the provider honours idempotency keys. */
  honoursKeys: boolean;
  ordersPerSecond: number;
  settleSeconds: number;
  /** One instance whose wall clock is wrong; in Kafka mode only. */
  clock: { part: string; aheadSeconds: number } | undefined;
  /** Begins with the round and goes on while others strike. */
  background: Fault[];
  blows: Blow[];
};

const overlapShare = 0.4;
const hurriedShare = 0.2;
/**
 * A provider without keys books twice when it carries out a request later than the settle time
 * after it was sent: nobody can help that, and the contract excludes it. So what is sent to such a
 * provider may not lie about for as long.
 */
const lateMsMax = 600;

export function planRound(mode: Mode, seed: number, count: number): RoundPlan {
  const random = createRandom(seed);
  const behindProxies = mode === 'kafka' || random.next() < 0.5;
  const honoursKeys = random.next() < 0.5;
  const ordersPerSecond = random.between(12, 25);
  const background =
    mode === 'kafka' && count > 1 && random.next() < 0.4
      ? [drawLongPause(random, honoursKeys)]
      : [];
  const all = mode === 'kafka' ? kafkaKinds() : embeddedKinds(behindProxies);
  const kinds = all.filter(({ needsKeys }) => honoursKeys || needsKeys !== true);
  const spared = background.map(({ part }) => part);
  const draw = createDeck(kinds, random, spared, honoursKeys);
  const blows: Blow[] = [];
  for (let left = count - background.length; left > 0; ) {
    const first = draw(() => true);
    const hasSecond = left > 1 && first.part !== everything && random.next() < overlapShare;
    const second = hasSecond ? draw((kind) => mayOverlap(first, kind)) : undefined;
    const faults = [{ afterMs: 0, fault: first }];
    if (second !== undefined)
      faults.push({ afterMs: random.between(0, first.durationMs), fault: second });
    blows.push({ gapMs: random.between(300, 1_200), faults });
    left -= faults.length;
  }
  const settleSeconds = honoursKeys ? 1 : 2;
  const clock = mode === 'kafka' ? drawClock(random) : undefined;
  return {
    mode,
    seed,
    behindProxies,
    honoursKeys,
    ordersPerSecond,
    settleSeconds,
    clock,
    background,
    blows,
  };
}

export const faultsOf = ({ background, blows }: RoundPlan): Fault[] => [
  ...background,
  ...blows.flatMap(({ faults }) => faults.map(({ fault }) => fault)),
];

/** Every kind once, in a new order, before any comes again. */
function createDeck(kinds: FaultKind[], random: Random, spared: string[], honoursKeys: boolean) {
  let deck: FaultKind[] = [];
  return (suits: (kind: FaultKind) => boolean): Fault => {
    if (!deck.some(suits)) deck = [...deck, ...random.shuffled(kinds)];
    const kind = deck.find(suits) as FaultKind;
    deck.splice(deck.indexOf(kind), 1);
    return drawFault(kind, random, spared, honoursKeys);
  };
}

function drawFault(of: FaultKind, random: Random, spared: string[], honoursKeys: boolean): Fault {
  const { kind, action, parts, lasts, draw } = of;
  const isLate =
    (action === 'pause' && parts.includes('provider')) ||
    (action === 'hold' && /provider$/.test(kind));
  const high = isLate && !honoursKeys ? lateMsMax : lasts[1];
  const standing =
    action === 'kill' || action === 'pause'
      ? parts.filter((part) => !spared.includes(part))
      : parts;
  const part = random.shuffled(standing)[0] ?? '';
  const durationMs = random.between(Math.min(lasts[0], high), high);
  return {
    kind,
    action,
    part,
    durationMs,
    waits: random.next() >= hurriedShare,
    ...draw?.(random),
  };
}

/** Two faults of one part would undo each other; of everything there is no second part. */
function mayOverlap({ part }: Fault, { parts }: FaultKind): boolean {
  return !parts.includes(everything) && !parts.includes(part);
}

const clockShare = 0.5;

function drawClock(random: Random): RoundPlan['clock'] {
  const isOdd = random.next() < clockShare;
  const [part = ''] = random.shuffled([...orderServices, ...fulfillmentServices]);
  const [aheadSeconds = 0] = random.shuffled([-300, 300, 7_200]);
  return isOdd ? { part, aheadSeconds } : undefined;
}

/**
 * Long enough for Kafka to give the partitions away, and with a provider that honours keys for
 * leases to end in the middle.
 */
function drawLongPause(random: Random, honoursKeys: boolean): Fault {
  const durationMs = honoursKeys ? random.between(16_000, 18_000) : random.between(6_500, 8_000);
  const [part = ''] = random.shuffled(fulfillmentServices);
  return {
    kind: 'long pause of fulfillment-service',
    action: 'pause',
    part,
    durationMs,
    waits: true,
  };
}
