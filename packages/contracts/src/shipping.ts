import Type, { type Static } from 'typebox';

/** Body of POST /api/shipments; its Idempotency-Key is the reference. */
export const NewShipment = Type.Object({
  reference: Type.String({ minLength: 1, maxLength: 128, description: 'The order id' }),
  recipient: Type.Object({ customerId: Type.String(), name: Type.String() }),
  items: Type.Array(Type.Object({ productId: Type.String(), quantity: Type.Integer() }), {
    minItems: 1,
  }),
});
export type NewShipment = Static<typeof NewShipment>;

/** Answer to POST /api/shipments (201) and GET /api/shipments/{reference} (200). */
export const Shipment = Type.Object({
  reference: Type.String(),
  trackingNumber: Type.String({ minLength: 1 }),
  carrier: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
});
export type Shipment = Static<typeof Shipment>;

const rate = (description: string) =>
  Type.Number({ minimum: 0, maximum: 1, default: 0, description });

/**
 * The mock provider's behaviour: GET and PUT /simulation. What a PUT leaves out keeps its value.
 */
export const Simulation = Type.Object(
  {
    latencyMs: Type.Integer({
      minimum: 0,
      maximum: 600_000,
      default: 0,
      description: 'Every POST answers this late',
    }),
    latencyJitterMs: Type.Integer({
      minimum: 0,
      maximum: 600_000,
      default: 0,
      description: 'Up to this much later',
    }),
    failureRate: rate('503, books nothing'),
    refuseRate: rate('422, books nothing'),
    hangRate: rate('never answers, books nothing'),
    lostResponseRate: rate('books, then drops the connection'),
    dedupe: Type.Boolean({
      default: true,
      description: 'The same Idempotency-Key gives the same shipment',
    }),
    lookupDelayMs: Type.Integer({
      minimum: 0,
      maximum: 600_000,
      default: 0,
      description: 'The look-up lags behind a booking',
    }),
    nullFieldsRate: rate('booked or looked up, answered with null for all but the tracking number'),
    foreignReferenceRate: rate(
      'booked or looked up, answered with the shipment of another reference',
    ),
    notFoundPageRate: rate('a look-up gets a 404 with a page of HTML, as from an ingress'),
    refusesBooked: Type.Boolean({
      default: false,
      description: 'A POST of what is booked already is refused with 422',
    }),
    seed: Type.Integer({
      minimum: 0,
      maximum: 2_147_483_647,
      default: 1,
      description: 'Of the random draws',
    }),
  },
  { additionalProperties: false },
);
export type Simulation = Static<typeof Simulation>;

/** One line of GET /simulation/ledger. */
export type LedgerEntry = {
  reference: string;
  bookings: number;
  posts: number;
  trackingNumber: string | null;
  /** Of the first booking: SHA-256, see the mock's content-hash.ts. Null where it is not known. */
  content: string | null;
};
