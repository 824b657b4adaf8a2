import type { Broker, IncomingEvent, OutgoingEvent } from '../../src/messaging/broker.ts';
import { until } from './until.ts';

/** The topic that brokers under test declare. */
export const topic = 'events';

export function event(key: string, value: string | Buffer = '{}'): OutgoingEvent {
  return { key, value, headers: {} };
}

/**
 * As the relay does: what was rejected is published again, until it is not; bounded by the test's
 * time.
 */
export async function publish(broker: Broker, events: OutgoingEvent[]): Promise<void> {
  await until(
    'the events are published',
    async () => {
      try {
        await broker.publish(topic, events);
        return true;
      } catch {
        return false;
      }
    },
    50_000,
  );
}

/** What the broker hands to a group from here on; it grows. */
export async function receive(broker: Broker): Promise<IncomingEvent[]> {
  const received: IncomingEvent[] = [];
  await broker.subscribe({
    topic,
    group: 'a',
    eventsMax: 10,
    handler: async (events) => void received.push(...events),
  });
  return received;
}
