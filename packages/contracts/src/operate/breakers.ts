import Type, { type Static } from 'typebox';
import { Moment, Nullable, VisibleText } from '../fields.ts';

const Mode = Type.Enum(['automatic', 'forced_open', 'forced_closed'], {
  description:
    'automatic: each instance decides by its own calls; forced_open: no call leaves any instance; forced_closed: every call leaves',
});

/** Body of PUT /api/breakers/shipping. */
export const BreakerChange = Type.Object(
  { mode: Mode, reason: Type.Optional(VisibleText(500, 'Why; it is recorded')) },
  // Refused as it stands: sending the example must not undo what a colleague has set.
  {
    additionalProperties: false,
    examples: [{ mode: 'CHOOSE_ONE', reason: 'Maintenance at the provider' }],
  },
);
export type BreakerChange = Static<typeof BreakerChange>;

/** Answer to GET and PUT /api/breakers/shipping. */
export const BreakerView = Type.Object({
  name: Type.String(),
  mode: Mode,
  changedBy: Nullable(
    Type.String({ description: 'X-Operator of the last change; null where there was none' }),
  ),
  changedAt: Nullable(Moment('When it was last changed')),
  reason: Nullable(Type.String()),
  instances: Type.Array(
    Type.Object({
      instance: Type.String(),
      state: Type.Enum(['closed', 'half_open', 'open']),
      since: Moment('When it came to this state'),
      lastError: Nullable(Type.String()),
      callLimit: Type.Integer({ description: 'Calls that may be in flight' }),
      calls: Type.Integer({ description: 'Calls in flight' }),
      pausedUntil: Nullable(
        Moment('The provider asked for fewer calls (429): none leaves before this'),
      ),
      failingOrders: Type.Array(Type.String({ format: 'uuid' }), {
        description: 'Orders behind its last failures, at most ten',
      }),
      seenAt: Moment('When it last reported'),
    }),
    { description: 'The state of each instance that reported within the last minute' },
  ),
});
export type BreakerView = Static<typeof BreakerView>;
