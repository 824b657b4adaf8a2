import { fulfillmentEventsTopic } from '@orders/contracts/fulfillment-events';
import { orderEventsTopic } from '@orders/contracts/order-events';
import { commonVariables, connectionsVariable, portVariable, stuckAfterVariable } from '@orders/platform/config-fields';
import { groupIdVariable, kafkaVariables, topicVariable } from '@orders/platform/kafka-config';
import Type, { type Static } from 'typebox';

/** What the Order Service takes from its environment. */
export const OrderConfig = Type.Object({
  ...commonVariables,
  ORDER_SERVICE_PORT: portVariable(5000, 'the Order Service'),
  ORDERS_DATABASE_URL: Type.String({
    minLength: 1,
    description: 'PostgreSQL of the Order Service: postgres://user:password@host/database',
  }),
  ORDERS_DATABASE_CONNECTIONS: connectionsVariable('Order Service'),
  STUCK_AFTER_SECONDS: stuckAfterVariable,
  IDEMPOTENCY_KEY_HOURS: Type.Integer({
    minimum: 24,
    maximum: 8_760,
    default: 24,
    description: 'How long an Idempotency-Key is remembered at least',
  }),
});
export type OrderConfig = Static<typeof OrderConfig>;

/** As a process of its own the service is on Kafka. */
export const OrderProcessConfig = Type.Object({
  ...OrderConfig.properties,
  ...kafkaVariables,
  KAFKA_GROUP_ID: groupIdVariable('order-service'),
  KAFKA_ORDER_EVENTS_TOPIC: topicVariable(orderEventsTopic),
  KAFKA_FULFILLMENT_EVENTS_TOPIC: topicVariable(fulfillmentEventsTopic),
});
