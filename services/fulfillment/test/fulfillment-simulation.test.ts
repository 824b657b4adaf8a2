import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide, type Policy } from '../src/fulfillment.ts';
import { createWorld, type Rules, rules, type Step } from './fulfillment-model.ts';

const by = fc.constantFrom<0 | 1>(0, 1);
const fate = fc.nat(5_000);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 18, arbitrary: fc.record({ do: fc.constant('work'), by, fate }) },
  { weight: 24, arbitrary: fc.record({ do: fc.constantFrom('claim', 'begin', 'end'), by, fate }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('order', 'renew', 'crash'), by, fate }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel'), by, fate }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('retry') }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver'), fate }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait'),
      ms: fc.constantFrom(1, 300, 2_000, 8_000, 16_000),
    }),
  },
  { weight: 15, arbitrary: fc.record({ do: fc.constant('waitDue') }) },
);
const anyPolicy: fc.Arbitrary<Policy> = fc.record({
  attemptsMax: fc.integer({ min: 1, max: 4 }),
  deadlineMs: fc.constantFrom(1, 20_000, 86_400_000),
  backoffMs: fc.constant(100),
  backoffMaxMs: fc.constant(1_000),
  settleMs: fc.constantFrom(200, 2_000),
  unknownOutcome: fc.constantFrom<Policy['unknownOutcome']>('lookup', 'hold'),
});

/**
 * Often cancelled before it is filed, and filed at once, or the steps would mostly meet no order.
 */
const anyLife = fc
  .record({
    isEarly: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    order: fc.record({ do: fc.constant('order'), by, fate }),
    steps: fc.array(anyStep, { minLength: 10, maxLength: 80, size: 'max' }),
  })
  .map(({ isEarly, order, steps }): Step[] => [
    ...(isEarly ? [{ ...order, do: 'cancel' as const }] : []),
    order,
    ...steps,
  ]);

const lives = (
  planted: Partial<Rules> = {},
  onEnd: (state: string | undefined) => void = () => undefined,
) =>
  fc.property(anyLife, anyPolicy, (steps, policy) => {
    const world = createWorld(policy, { ...rules, ...planted });
    for (const step of steps) world.step(step);
    onEnd(world.state());
    world.settle();
  });

test('whatever is doubled, delayed, reordered, crashes, is cancelled or retried: shipped at most once, no status goes back, every order ends', (t) => {
  const reached: Record<string, number> = {};
  const count = (state = ''): void => {
    reached[state] = (reached[state] ?? 0) + 1;
  };
  fc.assert(lives({}, count), { numRuns: 20_000 });
  t.diagnostic(JSON.stringify(reached));
  for (const state of ['Processing', 'Retrying', 'Shipped', 'Failed', 'Cancelled'])
    assert.ok((reached[state] ?? 0) > 100, `hardly any life came to ${state}: ${reached[state]}`);
});

const bugs: Record<string, Partial<Rules>> = {
  'sends again without a look-up': { looksUp: false },
  'takes a timeout for "not booked"': {
    decide: (claimed, outcome, call, policy) =>
      decide(
        claimed,
        outcome.kind === 'unknown' ? { ...outcome, kind: 'not_booked', retryAfterMs: 0 } : outcome,
        call,
        policy,
      ),
  },
  'believes an early 404': {
    decide: (claimed, outcome, call, policy) =>
      decide({ ...claimed, isSettled: true }, outcome, call, policy),
  },
  'cancels what may be booked': {
    decide: (claimed, outcome, call, policy) =>
      decide(
        claimed,
        claimed.isCancelRequested && outcome.kind === 'no_answer' ? { kind: 'cancelled' } : outcome,
        call,
        policy,
      ),
  },
  'reports without fence': { isFenced: false },
  'has leases without end': { leaseEnds: false },
  'projects without sequence': { isNewer: () => true },
};

for (const [name, planted] of Object.entries(bugs)) {
  test(`the simulation notices a service that ${name}`, () => {
    const { failed } = fc.check(lives(planted), { numRuns: 100_000, endOnFailure: true });
    assert.ok(failed);
  });
}
