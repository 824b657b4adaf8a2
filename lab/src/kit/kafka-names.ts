import { randomUUID } from 'node:crypto';
import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { deleteTopics } from './kafka-records.ts';

/**
 * What a system under test calls its topics and groups: names of its own, for the broker may be
 * everybody's.
 */
export type KafkaNames = ReturnType<typeof freshNames>;

export function freshNames() {
  const suffix = randomUUID().slice(0, 8);
  const [orderEvents, fulfillmentEvents] = [
    `${orderEventsTopic}-${suffix}`,
    `${fulfillmentEventsTopic}-${suffix}`,
  ];
  const topics = [orderEvents, fulfillmentEvents].flatMap((topic) => [topic, `${topic}.dlq`]);
  return {
    orderEvents,
    fulfillmentEvents,
    orderGroup: `order-service-${suffix}`,
    fulfillmentGroup: `fulfillment-service-${suffix}`,
    topicVariables: {
      KAFKA_ORDER_EVENTS_TOPIC: orderEvents,
      KAFKA_FULFILLMENT_EVENTS_TOPIC: fulfillmentEvents,
    },
    deleteTopics: (bootstrapServers: string) => deleteTopics(bootstrapServers, topics),
  };
}
