import Type, { type Static } from 'typebox';
import { Moment, Nullable, Uuid } from '../fields.ts';

/** Header of every request of an operator that changes something: who it is. */
export const operatorHeader = Type.Object({
  'x-operator': Type.String({
    pattern: '^[ -~]{1,128}$',
    'x-fault': 'must be 1 to 128 printable ASCII characters',
    description: 'Who does this; it is recorded',
  }),
});
export type OperatorHeader = Static<typeof operatorHeader>;

/** One thing that an operator did. */
export const OperatorAction = Type.Object({
  id: Uuid('The record'),
  at: Moment('When'),
  operator: Type.String({ description: 'X-Operator of the request' }),
  action: Type.String({
    description: 'retry, republish, replay_dead_letter, discard_dead_letter, set_breaker',
  }),
  reason: Nullable(Type.String()),
  request: Type.Unknown({ description: 'What was asked' }),
  result: Type.Unknown({ description: 'What came of it' }),
});
export type OperatorAction = Static<typeof OperatorAction>;

export const OperatorActionPage = Type.Object({ items: Type.Array(OperatorAction) });
