import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { NewShipment } from '@orders/contracts/shipping';
import { parameterError } from '@orders/platform/http/request-validation';
import { CodedError } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import type { Metrics } from '@orders/platform/process/metrics';
import { contentHashOf } from './content-hash.ts';
import type { Booking, Ledger } from './ledger.ts';
import type { Fate, Simulator } from './simulation.ts';
import type { WaitingRequests } from './waiting-requests.ts';

/** A hanging request is cut off after this long, whatever its caller does. */
const hangMs = 120_000;

/** What it needs of Fastify's request and reply. */
type Request = { body: NewShipment; headers: IncomingHttpHeaders; raw: IncomingMessage };
type Reply = { raw: ServerResponse; hijack(): unknown };
type Parts = {
  ledger: Ledger;
  simulator: Simulator;
  waiting: WaitingRequests;
  metrics: Metrics;
  log: Log;
};

/**
 * Carries out a POST: returns the booking to answer with, or undefined when the connection was
 * dropped instead of an answer; throws the refusals. It books on arrival and answers after the
 * latency, so that a caller who gave up finds the booking.
 */
export type PostShipment = (request: Request, reply: Reply) => Promise<Booking | undefined>;

export function createPostShipment(parts: Parts): PostShipment {
  const { ledger, simulator, waiting } = parts;
  const note = createNotes(parts);

  /**
   * Decides, counts and books in one go: two requests with the same key cannot both find it free.
   */
  function arrive(
    request: Request,
    waitMs: number,
  ): { fate: Fate | 'overloaded'; booking: Booking | undefined } {
    const { reference, items } = request.body;
    const past = ledger.find(reference);
    const hasKey = request.headers['idempotency-key'] !== undefined;
    const wanted = simulator.fateOf({
      productIds: items.map(({ productId }) => productId),
      hasKey,
      past,
    });
    const fate = (waitMs > 0 || wanted === 'hang') && waiting.isFull() ? 'overloaded' : wanted;
    const books = fate === 'book' || fate === 'lose_response';
    const booking = books
      ? ledger.record(reference, Date.now(), contentHashOf(request.body))
      : ledger.record(reference);
    note(fate, request);
    return { fate, booking: fate === 'repeat' ? past.first : booking };
  }

  return async (request, reply) => {
    refuseOtherKey(request);
    refuseUnwritable(ledger);
    const waitMs = simulator.latencyMs();
    const { fate, booking } = arrive(request, waitMs);
    if (fate === 'hang') await waiting.wait(reply.raw, hangMs);
    else if (waitMs > 0 && fate !== 'overloaded') await waiting.wait(reply.raw, waitMs);
    const refusal = refusals[fate];
    if (refusal !== undefined) throw refusal();
    const written = ledger.written();
    if (written !== undefined) await written;
    // Booked, but a restart would forget it: to say nothing leaves the outcome open, which is the
    // truth.
    if (booking !== undefined && fate !== 'lose_response' && ledger.fault() === undefined)
      return booking;
    reply.hijack();
    request.raw.socket.destroy();
    return undefined;
  };
}

const refusals: Partial<Record<Fate | 'overloaded', () => CodedError>> = {
  overloaded: () => new CodedError('overloaded', 'Too many requests wait; nothing was booked.'),
  unavailable: () => new CodedError('provider_unavailable', 'Nothing was booked; try again.'),
  refuse: () => new CodedError('shipment_refused', 'The carrier does not take this shipment.'),
};

/** Before anything is counted, so that nothing is booked that a restart forgets. */
function refuseUnwritable(ledger: Ledger): void {
  if (ledger.fault() !== undefined)
    throw new CodedError('provider_unavailable', 'The ledger cannot be written.');
}

function refuseOtherKey(request: Request): void {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === request.body.reference) return;
  throw parameterError('idempotency-key', 'must be the reference');
}

/** Metrics and debug lines: booked ones once a second with their number, each of the others. */
function createNotes({
  metrics,
  log,
}: Parts): (fate: Fate | 'overloaded', request: Request) => void {
  const posts = metrics.counter(
    'shipping_provider_posts_total',
    'POSTs of shipments by what happened to them',
    ['fate'],
  );
  const bookings = metrics.counter('shipping_provider_bookings_total', 'Shipments booked');
  let booked = 0;
  const logBooked = () => {
    log.debug({ count: booked }, 'shipments booked');
    booked = 0;
  };
  return (fate, request) => {
    posts.inc({ fate });
    if (fate === 'book' || fate === 'lose_response') bookings.inc();
    if (!log.isLevelEnabled('debug')) return;
    if (fate === 'book') {
      if (booked++ === 0) setTimeout(logBooked, 1_000).unref();
      return;
    }
    const { 'x-correlation-id': correlationId, traceparent } = request.headers;
    log.debug(
      { reference: request.body.reference, fate, correlationId, traceparent },
      'shipment not simply booked',
    );
  };
}
