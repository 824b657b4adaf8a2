import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { runKafkaService } from '@orders/platform/kafka/run-service';
import { FulfillmentProcessConfig, fulfillmentProcessRules } from './config.ts';
import { createFulfillmentService } from './service.ts';

await runKafkaService({
  name: 'fulfillment-service',
  schema: FulfillmentProcessConfig,
  rules: fulfillmentProcessRules,
  topics: (config) => ({
    [orderEventsTopic]: config.KAFKA_ORDER_EVENTS_TOPIC,
    [fulfillmentEventsTopic]: config.KAFKA_FULFILLMENT_EVENTS_TOPIC,
  }),
  create: (config, parts) =>
    createFulfillmentService({ ...parts, config, group: config.KAFKA_GROUP_ID }),
});
