import { FulfillmentConfig } from '@orders/fulfillment-service/config';
import { OrderConfig } from '@orders/order-service/config';
import { shippingProviderVariables } from '@orders/shipping-provider/config';
import Type, { type Static } from 'typebox';

/** What `npm start` takes from its environment: the services' variables, of which the databases are supplied where unset. */
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
  DATA_DIR: Type.String({ minLength: 1, default: '.data', description: 'Where npm start keeps its data' }),
});
export type EmbeddedConfig = Static<typeof EmbeddedConfig>;
