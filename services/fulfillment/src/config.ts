import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { groupIdVariable, kafkaVariables, topicVariable } from '@orders/platform/kafka/config';
import { type ConfigRules, secret } from '@orders/platform/process/config';
import {
  databaseFaults,
  databaseUrlVariable,
  entranceFaults,
  entranceVariables,
  kafkaFaults,
  shippingFaults,
} from '@orders/platform/process/profile';
import {
  callerVariables,
  commonVariables,
  connectionsVariable,
  portVariable,
  stuckAfterVariable,
} from '@orders/platform/process/variables';
import Type, { type Static } from 'typebox';

const whole = (minimum: number, maximum: number, value: number, description: string) =>
  Type.Integer({ minimum, maximum, default: value, description });

/** What the Fulfillment Service takes from its environment. */
export const FulfillmentConfig = Type.Object({
  ...commonVariables,
  ...entranceVariables,
  ...callerVariables,
  FULFILLMENT_SERVICE_PORT: portVariable(5001, 'the Fulfillment Service'),
  FULFILLMENT_DATABASE_URL: databaseUrlVariable('Fulfillment Service'),
  FULFILLMENT_DATABASE_CONNECTIONS: connectionsVariable('Fulfillment Service', 7),
  STUCK_AFTER_SECONDS: stuckAfterVariable,
  SHIPPING_BASE_URL: Type.String({
    pattern: '^https?://',
    'x-fault': 'must begin with http:// or https://',
    default: 'http://127.0.0.1:5002',
    description:
      'The shipping provider; where it is set, npm start uses that provider and starts no mock',
  }),
  SHIPPING_AUTHORIZATION: Type.Optional(
    Type.String({
      ...secret,
      pattern: '^[\\x20-\\x7e]+$',
      'x-fault': 'must be printable ASCII',
      description: 'Value of the Authorization header of every call to the provider',
    }),
  ),
  SHIPPING_TIMEOUT_SECONDS: Type.Number({
    minimum: 0.1,
    maximum: 600,
    default: 10,
    description: 'One call to the provider; afterwards its outcome is unknown',
  }),
  SHIPPING_ATTEMPTS_MAX: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description:
        'Counted attempts after which an order fails; unset, only SHIPPING_DEADLINE_SECONDS ends it',
    }),
  ),
  SHIPPING_DEADLINE_SECONDS: whole(
    1,
    31_536_000,
    86_400,
    'Age at which an order fails that is still not booked',
  ),
  SHIPPING_BACKOFF_MS: whole(
    1,
    3_600_000,
    500,
    'First backoff between attempts; doubles, with full jitter',
  ),
  SHIPPING_BACKOFF_MAX_MS: whole(1, 3_600_000, 60_000, 'Longest backoff between attempts'),
  SHIPPING_CONCURRENCY: whole(1, 10_000, 64, 'Calls in flight to the provider of one process'),
  SHIPPING_UNKNOWN_OUTCOME: Type.Enum(['lookup', 'hold'], {
    default: 'lookup',
    description:
      'lookup: what a look-up does not find is sent again; hold: it waits for an operator',
  }),
  SHIPPING_SETTLE_SECONDS: Type.Number({
    minimum: 0,
    maximum: 3_600,
    default: 2,
    description: 'A look-up that finds nothing counts only this long after the sending',
  }),
});
export type FulfillmentConfig = Static<typeof FulfillmentConfig>;

/** As a process of its own the service is on Kafka. */
export const FulfillmentProcessConfig = Type.Object({
  ...FulfillmentConfig.properties,
  ...kafkaVariables,
  KAFKA_GROUP_ID: groupIdVariable('fulfillment-service'),
  KAFKA_ORDER_EVENTS_TOPIC: topicVariable(orderEventsTopic),
  KAFKA_FULFILLMENT_EVENTS_TOPIC: topicVariable(fulfillmentEventsTopic),
});

/** What `npm run migrate:fulfillment-service` takes from its environment. */
export const FulfillmentMigrationConfig = Type.Object({
  LOG_LEVEL: commonVariables.LOG_LEVEL,
  PROFILE: entranceVariables.PROFILE,
  PLAINTEXT_ACCEPTED: entranceVariables.PLAINTEXT_ACCEPTED,
  FULFILLMENT_DATABASE_URL: FulfillmentConfig.properties.FULFILLMENT_DATABASE_URL,
  FULFILLMENT_MIGRATION_DATABASE_URL: databaseUrlVariable(
    'Fulfillment Service with the role that owns its schema (only npm run migrate:fulfillment-service reads it)',
  ),
});

/** What the profile demands of both connections. */
export const fulfillmentMigrationRules: ConfigRules<Static<typeof FulfillmentMigrationConfig>> = (
  config,
) =>
  (['FULFILLMENT_DATABASE_URL', 'FULFILLMENT_MIGRATION_DATABASE_URL'] as const).flatMap((name) =>
    databaseFaults(name, config[name], config),
  );

/**
 * What the profile demands. The rules see what was given, not the defaults: prod takes no default
 * provider.
 */
export const fulfillmentRules: ConfigRules<FulfillmentConfig> = (config) => [
  ...entranceFaults(config),
  ...databaseFaults('FULFILLMENT_DATABASE_URL', config.FULFILLMENT_DATABASE_URL, config),
  ...shippingFaults(config, config.SHIPPING_BASE_URL),
];
export const fulfillmentProcessRules: ConfigRules<Static<typeof FulfillmentProcessConfig>> = (
  config,
) => [...fulfillmentRules(config), ...kafkaFaults(config)];
