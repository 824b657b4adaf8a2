import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { NewShipment, Shipment, Simulation } from '@orders/contracts/shipping';
import type { HttpServer } from '@orders/platform/http/server';
import { CodedError } from '@orders/platform/process/errors';
import { type Booking, type Ledger, trackingNumberOf } from './ledger.ts';
import type { PostShipment } from './post-shipment.ts';
import type { Showing, Simulator } from './simulation.ts';

const carrier = 'Mock Parcel';
/** What an ingress answers that has lost its backend. */
const ingressPage = '<html><body>default backend - 404</body></html>';
/**
 * A PUT changes what it names. Without the defaults: validation would fill them in and so reset the
 * rest.
 */
const SimulationChange = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(
    Object.entries(Simulation.properties).map(([name, schema]) => [
      name,
      { ...schema, default: undefined },
    ]),
  ),
};

type Parts = { ledger: Ledger; simulator: Simulator; postShipment: PostShipment };

/** The provider's API: booking and looking up shipments, and the simulation behind them. */
export function addRoutes(app: HttpServer, { ledger, simulator, postShipment }: Parts): void {
  const answer = { response: { 200: Shipment, 201: Shipment } };
  app.post<{ Body: NewShipment }>(
    '/api/shipments',
    { schema: { body: NewShipment, ...answer } },
    async (request, reply) => {
      const { reference } = request.body;
      const booking = await postShipment(request, reply);
      if (booking === undefined) return reply;
      reply.code(201);
      return show(reply, toShipment(reference, booking), simulator.showingOf(false));
    },
  );

  app.get<{ Params: { reference: string } }>(
    '/api/shipments/:reference',
    { schema: answer },
    async (request, reply) => {
      const { reference } = request.params;
      const showing = simulator.showingOf(true);
      if (showing === 'page') {
        reply.code(404).type('text/html');
        return ingressPage;
      }
      const { first } = ledger.find(reference);
      refuseUnwritten(ledger);
      const { lookupDelayMs } = simulator.settings();
      if (first === undefined || (lookupDelayMs > 0 && first.at > Date.now() - lookupDelayMs)) {
        throw new CodedError('shipment_not_found', `There is no shipment ${reference}.`);
      }
      await ledger.written();
      refuseUnwritten(ledger);
      return show(reply, toShipment(reference, first), showing);
    },
  );

  app.get('/simulation', async () => simulator.settings());
  app.put<{ Body: Partial<Simulation> }>(
    '/simulation',
    { schema: { body: SimulationChange } },
    async (request) => simulator.change(request.body),
  );

  app.get('/simulation/ledger', async (_request, reply) => {
    await ledger.written();
    refuseUnwritten(ledger);
    reply.type('application/x-ndjson');
    return Readable.from(lines(ledger), { objectMode: false });
  });
}

/** 503 after a fault: a caller must not rely on what a restart forgets, nor on a lost booking. */
function refuseUnwritten(ledger: Ledger): void {
  const cause = ledger.fault();
  if (cause !== undefined)
    throw new CodedError('provider_unavailable', 'The ledger cannot be written.');
}

function toShipment(reference: string, booking: Booking): Shipment {
  const createdAt = new Date(booking.at).toISOString();
  return { reference, trackingNumber: trackingNumberOf(booking), carrier, createdAt };
}

type Reply = { serializer(serialize: (answer: object) => string): unknown };

/** As it is, or as providers answer that are less exact than the contract wishes. */
function show(reply: Reply, shipment: Shipment, showing: Showing): object {
  if (showing === 'foreign')
    return { ...shipment, reference: randomUUID(), trackingNumber: 'MP-OF-ANOTHER' };
  if (showing !== 'nulls') return shipment;
  // Past the schema of the answer, which has no null.
  reply.serializer(JSON.stringify);
  return { ...shipment, reference: null, carrier: null, createdAt: null };
}

async function* lines(ledger: Ledger): AsyncGenerator<string> {
  for await (const entries of ledger.entries())
    yield entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}
