import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { groupIdVariable, kafkaVariables, topicVariable } from '@orders/platform/kafka/config';
import type { ConfigRules } from '@orders/platform/process/config';
import {
  databaseFaults,
  databaseUrlVariable,
  entranceFaults,
  entranceVariables,
  kafkaFaults,
} from '@orders/platform/process/profile';
import {
  callerVariables,
  commonVariables,
  connectionsVariable,
  portVariable,
  stuckAfterVariable,
} from '@orders/platform/process/variables';
import Type, { type Static } from 'typebox';

/** What the Order Service takes from its environment. */
export const OrderConfig = Type.Object({
  ...commonVariables,
  ...entranceVariables,
  ...callerVariables,
  ORDER_SERVICE_PORT: portVariable(5000, 'the Order Service'),
  ORDERS_DATABASE_URL: databaseUrlVariable('Order Service'),
  ORDERS_DATABASE_CONNECTIONS: connectionsVariable('Order Service', 9),
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

/** What `npm run migrate:order-service` takes from its environment. */
export const OrderMigrationConfig = Type.Object({
  LOG_LEVEL: commonVariables.LOG_LEVEL,
  PROFILE: entranceVariables.PROFILE,
  PLAINTEXT_ACCEPTED: entranceVariables.PLAINTEXT_ACCEPTED,
  ORDERS_DATABASE_URL: OrderConfig.properties.ORDERS_DATABASE_URL,
  ORDERS_MIGRATION_DATABASE_URL: databaseUrlVariable(
    'Order Service with the role that owns its schema (only npm run migrate:order-service reads it)',
  ),
});

/** What the profile demands of both connections. */
export const orderMigrationRules: ConfigRules<Static<typeof OrderMigrationConfig>> = (config) =>
  (['ORDERS_DATABASE_URL', 'ORDERS_MIGRATION_DATABASE_URL'] as const).flatMap((name) =>
    databaseFaults(name, config[name], config),
  );

/** What the profile demands. */
export const orderRules: ConfigRules<OrderConfig> = (config) => [
  ...entranceFaults(config),
  ...databaseFaults('ORDERS_DATABASE_URL', config.ORDERS_DATABASE_URL, config),
];
export const orderProcessRules: ConfigRules<Static<typeof OrderProcessConfig>> = (config) => [
  ...orderRules(config),
  ...kafkaFaults(config),
];
