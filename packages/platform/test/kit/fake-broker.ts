import type { Broker, OutgoingEvent } from '../../src/messaging/broker.ts';

/**
 * A broker that keeps what is published. `behaviour` may throw, or wait, before a batch is taken;
 * `taken` are all copies.
 */
export function createFakeBroker() {
  const taken: { topic: string; event: OutgoingEvent }[] = [];
  const fake = {
    taken,
    calls: 0,
    behaviour: async (_topic: string, _events: OutgoingEvent[]): Promise<void> => undefined,
    keys: () => new Set(taken.map(({ event }) => event.key)),
    broker: {
      async publish(topic, events) {
        fake.calls += 1;
        await fake.behaviour(topic, events);
        for (const event of events) taken.push({ topic, event });
      },
      subscribe: async () => ({ close: async () => undefined }),
      close: async () => undefined,
    } satisfies Broker,
  };
  return fake;
}
