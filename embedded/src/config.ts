import { FulfillmentConfig, fulfillmentRules } from '@orders/fulfillment-service/config';
import { OrderConfig, orderRules } from '@orders/order-service/config';
import type { ConfigRules } from '@orders/platform/process/config';
import { shippingProviderVariables } from '@orders/shipping-provider/config';
import Type, { type Static } from 'typebox';

/**
 * What `npm start` takes from its environment: the services' variables, of which the databases are
 * supplied where unset.
 */
export const EmbeddedConfig = Type.Object({
  ...OrderConfig.properties,
  ...FulfillmentConfig.properties,
  ...shippingProviderVariables,
  ORDERS_DATABASE_URL: Type.Optional(OrderConfig.properties.ORDERS_DATABASE_URL),
  FULFILLMENT_DATABASE_URL: Type.Optional(FulfillmentConfig.properties.FULFILLMENT_DATABASE_URL),
  SHIPPING_BASE_URL: Type.Optional(
    Type.String({
      pattern: '^https?://',
      'x-fault': 'must begin with http:// or https://',
      description: 'The shipping provider; where it is set, no mock is started',
    }),
  ),
  DATA_DIR: Type.String({
    minLength: 1,
    default: '.data',
    description: 'Where npm start keeps its data',
  }),
});
export type EmbeddedConfig = Static<typeof EmbeddedConfig>;

/**
 * What the profile demands: of both services once, and in prod no embedded database, whose role
 * owns its schemas.
 */
export const embeddedRules: ConfigRules<EmbeddedConfig> = (config) => {
  const faults = new Set([
    ...orderRules(config),
    ...fulfillmentRules(config),
    ...samePortFaults(config),
  ]);
  if (config.PROFILE === 'prod') {
    for (const name of ['ORDERS_DATABASE_URL', 'FULFILLMENT_DATABASE_URL'] as const) {
      if (config[name] === undefined)
        faults.add(`${name} must be set: the embedded PostgreSQL is not for prod`);
    }
  }
  return [...faults];
};

const ports = ['ORDER_SERVICE_PORT', 'FULFILLMENT_SERVICE_PORT', 'SHIPPING_PROVIDER_PORT'] as const;

/** Two of our own services on one port: the second could only say that the port is in use. */
function samePortFaults(config: Partial<EmbeddedConfig>): string[] {
  const used = ports.filter(
    (name) => name !== 'SHIPPING_PROVIDER_PORT' || config.SHIPPING_BASE_URL === undefined,
  );
  // The rules see the values before defaults and types come in.
  const portOf = (name: (typeof ports)[number]): number =>
    Number(config[name] ?? (EmbeddedConfig.properties[name] as { default?: number }).default);
  return used.flatMap((name, index) =>
    used
      .slice(index + 1)
      .filter((other) => portOf(other) === portOf(name) && portOf(name) !== 0)
      .map((other) => `${name} and ${other} must not be the same port (${portOf(name)})`),
  );
}
