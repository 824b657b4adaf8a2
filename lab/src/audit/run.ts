import { Agent } from 'undici';
import { type ProgressOutput, startProgress } from '../kit/progress.ts';
import { type Facts, isFinal, type Standard } from './facts.ts';
import { readCancellations, readFulfillments, readNow } from './fulfillment-schema.ts';
import { joinStreams } from './join.ts';
import { judge } from './judge.ts';
import { type Kafka, type KafkaAccess, type Offsets, openKafka, readerOf } from './kafka.ts';
import { openLedger } from './ledger.ts';
import { notesOf } from './notes.ts';
import { readExtent, readKeys, readOrders } from './orders-schema.ts';
import { countDeadLetters, readOutbox } from './outbox.ts';
import { type AuditReport, type Finding, findingKinds, type Stations } from './report.ts';
import { reread, type Sources } from './reread.ts';
import { openSchema } from './schema.ts';
import { confirm, createSuspects, type Recheck, suspectsMax, usualRecheck } from './suspects.ts';
import { createTally } from './tally.ts';

export type AuditOptions = {
  ordersUrl: string;
  fulfillmentUrl: string;
  /** Without a slash at its end. */
  shippingUrl: string;
  /** Undefined: the system runs on its in-process broker. */
  kafka: KafkaAccess | undefined;
  /** Orders and changes younger than this are on their way. */
  graceSeconds: number;
  /** What is not final after this is stuck. */
  stuckAfterSeconds: number;
  /** Fulfillments without an order are orphaned, not foreign. */
  isStrict: boolean;
  recheck?: Recheck;
  /** Gets the progress; none where it is left out. */
  out?: ProgressOutput;
};

type Run = AuditOptions & { sources: Sources };

/**
 * Compares every order that exists now at every station. Only reads; may run beside the living
 * system. Memory does not grow with the number of orders, but with what is wrong. Rejects with
 * AuditError when something is away: then nothing is known, and a second audit begins from the
 * start.
 */
export async function audit(options: AuditOptions): Promise<AuditReport> {
  const closers: (() => Promise<unknown>)[] = [];
  const keep = <T extends { close(): Promise<unknown> }>(part: T): T => {
    closers.push(() => part.close());
    return part;
  };
  try {
    const dispatcher = new Agent({ connections: 4 });
    // Closing would wait for the rest of a ledger that nobody reads any more.
    keep({ close: () => dispatcher.destroy() });
    const provider = { url: options.shippingUrl, dispatcher };
    const orders = keep(await openSchema('ORDERS_DATABASE_URL', options.ordersUrl));
    const fulfillment = keep(await openSchema('FULFILLMENT_DATABASE_URL', options.fulfillmentUrl));
    const kafka = options.kafka && keep(openKafka(options.kafka));
    return await auditAll({ ...options, sources: { orders, fulfillment, provider } }, kafka);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function auditAll(run: Run, kafka: Kafka | undefined): Promise<AuditReport> {
  const startedAt = new Date();
  const begun = performance.now();
  const suspects = createSuspects();
  const { stations, hasLedger } = await walk(run, kafka, (id) => suspects.add(id));
  const orphanedKeys = await auditKeys(run.sources, stations, () => suspects.leaveOut());
  // What was written to Kafka before the suspicion arose lies below these ends.
  const mark = await kafka?.read();
  const look = async (ids: readonly string[]) => {
    const standard = standardOf(run, await kafka?.read(), mark);
    return { standard, facts: reread(run.sources, ids, hasLedger) };
  };
  const findings = [
    ...(await confirm(suspects.ids, look, run.recheck ?? usualRecheck)),
    ...orphanedKeys,
  ];
  const topics = mark === undefined ? [] : [mark.orderEvents, mark.fulfillmentEvents];
  return {
    ok: findings.length === 0 && suspects.leftOut() === 0,
    startedAt: startedAt.toISOString(),
    seconds: Math.round(performance.now() - begun) / 1_000,
    mode: kafka === undefined ? 'embedded' : 'kafka',
    ledger: hasLedger ? 'complete' : 'none',
    stations,
    topics,
    suspects: suspects.ids.length,
    suspectsLeftOut: suspects.leftOut(),
    counts: Object.fromEntries(
      findingKinds.map((kind) => [
        kind,
        findings.filter((finding) => finding.kind === kind).length,
      ]),
    ) as AuditReport['counts'],
    findings: findings.sort(byKindNameAndId),
    notes: notesOf(stations, topics, { hasLedger, isStrict: run.isStrict }),
  };
}

/** One look at everything there is, in order of id. */
async function walk(run: Run, kafka: Kafka | undefined, suspect: (id: string) => void) {
  const { orders, fulfillment, provider } = run.sources;
  // In this order every booking has its fulfillment and every fulfillment its order among what is
  // read, however fast new ones come.
  const bookings = await openLedger(provider);
  const before = await readNow(fulfillment);
  const { last, about } = await readExtent(orders);
  const standard = standardOf(run, await kafka?.read(), undefined);
  const tally = createTally(bookings !== undefined);
  const isSuspect = (facts: Facts): boolean =>
    judge(facts, standard).length > 0 || (bookings === undefined && isWorthALookUp(facts));
  const progress = run.out && startProgress(run.out, () => progressOf(tally.stations, about));
  try {
    await joinStreams(
      {
        orders: readOrders(orders, last),
        orderEvents: readOutbox(orders, 'orders'),
        fulfillments: readFulfillments(fulfillment, before),
        fulfillmentEvents: readOutbox(fulfillment, 'fulfillment'),
        cancellations: readCancellations(fulfillment),
        bookings,
      },
      (facts) => {
        tally.add(facts);
        if (isSuspect(facts)) suspect(facts.id);
      },
    );
  } finally {
    progress?.close();
  }
  return { stations: tally.stations, hasLedger: bookings !== undefined };
}

async function auditKeys(
  { orders, fulfillment }: Sources,
  stations: Stations,
  leaveOut: () => void,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const keys of readKeys(orders)) {
    stations.idempotencyKeys += keys.length;
    for (const { key, orderId } of keys.filter(({ isOrphan }) => isOrphan)) {
      if (found.length >= suspectsMax) leaveOut();
      else
        found.push({
          kind: 'orphaned',
          name: 'key_without_order',
          orderId,
          detail: `Idempotency-Key ${key}`,
        });
    }
  }
  for (const letters of [
    await countDeadLetters(orders, 'orders'),
    await countDeadLetters(fulfillment, 'fulfillment'),
  ]) {
    stations.deadLetters += letters.rows;
    stations.deadLettersUnpublished += letters.unpublished;
  }
  return found;
}

function standardOf(run: Run, now: Offsets | undefined, mark: Offsets | undefined): Standard {
  const { graceSeconds, stuckAfterSeconds, isStrict } = run;
  const reader = (of: keyof Offsets) => now && readerOf(now[of], mark?.[of]);
  return {
    graceSeconds,
    stuckAfterSeconds,
    isStrict,
    orderEvents: reader('orderEvents'),
    fulfillmentEvents: reader('fulfillmentEvents'),
  };
}

/** Without a ledger: what was sent and is said not to be booked. */
const isWorthALookUp = ({ fulfillment }: Facts): boolean =>
  fulfillment !== undefined &&
  isFinal(fulfillment.state) &&
  fulfillment.state !== 'Shipped' &&
  fulfillment.attempts > 0;

const progressOf = ({ orders, fulfillments }: Stations, about: number) => ({
  share: about === 0 ? 0 : orders / about,
  text: `${orders} orders, ${fulfillments} fulfillments compared`,
});

const byKindNameAndId = (a: Finding, b: Finding): number =>
  findingKinds.indexOf(a.kind) - findingKinds.indexOf(b.kind) ||
  (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) ||
  (a.orderId < b.orderId ? -1 : 1);
