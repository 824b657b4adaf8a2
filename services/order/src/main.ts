import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { runKafkaService } from '@orders/platform/kafka/run-service';
import { OrderProcessConfig, orderProcessRules } from './config.ts';
import { createOrderService } from './service.ts';

await runKafkaService({
  name: 'order-service',
  schema: OrderProcessConfig,
  rules: orderProcessRules,
  topics: (config) => ({
    [orderEventsTopic]: config.KAFKA_ORDER_EVENTS_TOPIC,
    [fulfillmentEventsTopic]: config.KAFKA_FULFILLMENT_EVENTS_TOPIC,
  }),
  create: (config, parts) => createOrderService({ ...parts, config, group: config.KAFKA_GROUP_ID }),
});
