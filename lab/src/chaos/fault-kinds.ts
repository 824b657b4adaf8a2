import type { Simulation } from '@orders/contracts/shipping';
import type { Random } from '../kit/random.ts';

export type Mode = 'embedded' | 'kafka';

/**
 * kill: SIGKILL, started again after a while. pause: SIGSTOP, SIGCONT. On a network: cut, all or
 * some connections reset again and again; slow, bytes arrive late; hold, they wait and arrive after
 * it; lose, they wait and then the connections are reset without them. simulate: the provider
 * misbehaves. read_only: PostgreSQL takes no writes.
 */
type Action = 'kill' | 'pause' | 'cut' | 'slow' | 'hold' | 'lose' | 'simulate' | 'read_only';

export type Fault = {
  /** A row of the matrix: what happens to which sort of part. */
  kind: string;
  action: Action;
  /** What exactly is struck: a process or a network of the system. */
  part: string;
  durationMs: number;
  /** Of `kill`: the next fault comes only when the part works again. */
  waits: boolean;
  /** Of `slow`. */
  delayMs?: number;
  /** Of `cut`: the share of connections. */
  share?: number;
  /** Of `simulate`. */
  change?: Partial<Simulation>;
};

/** A kind of fault as far as it is known before the draw. */
export type FaultKind = {
  kind: string;
  action: Action;
  parts: readonly string[];
  /** Bounds of its duration in milliseconds. */
  lasts: readonly [number, number];
  /** Without idempotency keys the provider would book twice, and nobody could help it. */
  needsKeys?: true;
  draw?: (random: Random) => Pick<Fault, 'delayMs' | 'share' | 'change'>;
};

export const everything = 'everything';
const database = 'PostgreSQL';
/** Both services on the network between themselves and what they need. */
export const networkOf = (service: string, other: string): string => `${service} ↔ ${other}`;

const kill = (name: string, parts: string[] = [name]): FaultKind => ({
  kind: `kill ${name}`,
  action: 'kill',
  parts,
  lasts: [0, 800],
});
const pause = (name: string, parts: string[] = [name]): FaultKind => ({
  kind: `pause ${name}`,
  action: 'pause',
  parts,
  lasts: [300, 2_500],
});

const network = (name: string, parts: string[] = [name]): FaultKind[] => [
  {
    kind: `cut ${name}`,
    action: 'cut',
    parts,
    lasts: [0, 1_000],
    draw: (random) => ({ share: random.next() < 0.5 ? 1 : 0.5 }),
  },
  {
    kind: `slow ${name}`,
    action: 'slow',
    parts,
    lasts: [800, 2_000],
    draw: (random) => ({ delayMs: random.between(20, 250) }),
  },
  { kind: `hold ${name}`, action: 'hold', parts, lasts: [300, 2_500] },
  { kind: `lose bytes of ${name}`, action: 'lose', parts, lasts: [300, 2_500] },
];

const simulate = (kind: string, draw: (random: Random) => Partial<Simulation>): FaultKind => ({
  kind: `provider ${kind}`,
  action: 'simulate',
  parts: ['provider'],
  lasts: [600, 2_000],
  draw: (random) => ({ change: draw(random) }),
});
const rate = (random: Random): number => random.between(30, 100) / 100;

const provider: FaultKind[] = [
  kill('provider'),
  pause('provider'),
  simulate('answers 503', (random) => ({ failureRate: rate(random) })),
  simulate('hangs', (random) => ({ hangRate: rate(random) })),
  simulate('loses answers', (random) => ({ lostResponseRate: rate(random) })),
  // Longer than SHIPPING_TIMEOUT_SECONDS at times: booked, and the answer comes too late.
  simulate('is slow', (random) => ({ latencyMs: random.between(300, 2_500) })),
  simulate('finds bookings late', (random) => ({
    lookupDelayMs: random.between(200, 600),
    lostResponseRate: 0.5,
  })),
  simulate('answers with nulls', (random) => ({
    nullFieldsRate: rate(random),
    lostResponseRate: 0.3,
  })),
  simulate('answers for another', (random) => ({
    foreignReferenceRate: rate(random),
    lostResponseRate: 0.3,
  })),
  simulate('loses answers behind an ingress without backend', (random) => ({
    notFoundPageRate: rate(random),
    lostResponseRate: 0.7,
  })),
  // Later than SHIPPING_SETTLE_SECONDS, so that it is sent again, and seen when asked once more.
  {
    ...simulate('refuses what it has booked', (random) => ({
      refusesBooked: true,
      lostResponseRate: 0.7,
      lookupDelayMs: random.between(1_050, 1_500),
    })),
    needsKeys: true,
  },
];

/** Its network goes on: connections are accepted and nothing is answered, or answers stop. */
const databaseAway: FaultKind[] = [
  kill(database),
  pause(database),
  { ...pause(database), kind: `long pause of ${database}`, lasts: [6_000, 20_000] },
  {
    kind: `${database} takes no writes`,
    action: 'read_only',
    parts: [database],
    lasts: [800, 5_000],
  },
];

/**
 * `behindProxies`: PostgreSQL is a server of its own with a network in front; else `npm start` has
 * its own.
 */
export function embeddedKinds(behindProxies: boolean): FaultKind[] {
  const shipping = network(networkOf('fulfillment-service', 'provider'));
  const kinds = [kill('system'), pause('system'), ...databaseAway, ...provider, ...shipping];
  if (!behindProxies) return [...kinds, kill(everything)];
  const databases = ['order-service', 'fulfillment-service'].flatMap((name) =>
    network(networkOf(name, database)),
  );
  return [...kinds, ...databases];
}

export const orderServices = ['order-service 1', 'order-service 2'];
export const fulfillmentServices = ['fulfillment-service 1', 'fulfillment-service 2'];
export const brokerNetwork = networkOf('services', 'Kafka');

export function kafkaKinds(): FaultKind[] {
  const instances = [
    ['order-service', orderServices],
    ['fulfillment-service', fulfillmentServices],
  ] as const;
  return [
    ...instances.flatMap(([name, parts]) => [
      kill(name, [...parts]),
      pause(name, [...parts]),
      ...network(
        networkOf(name, database),
        parts.map((part) => networkOf(part, database)),
      ),
    ]),
    ...[kill('Kafka'), pause('Kafka')],
    ...databaseAway,
    ...network(brokerNetwork),
    ...network(
      networkOf('fulfillment-service', 'provider'),
      fulfillmentServices.map((part) => networkOf(part, 'provider')),
    ),
    ...provider,
  ];
}
