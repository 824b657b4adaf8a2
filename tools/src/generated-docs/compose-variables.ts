/**
 * The variables that only compose.yaml reads. Its defaults are these: enough for the host's own
 * loopback, where nobody else comes in.
 */
export const composeVariables = {
  POSTGRES_PASSWORD: {
    default: 'postgres-local-only',
    description:
      'Password of the superuser in the PostgreSQL container; set when its volume is made',
  },
  ORDERS_DATABASE_PASSWORD: {
    default: 'orders-local-only',
    description:
      "Password of the Order Service's role in that container, of a-z A-Z 0-9 . _ -; set when its volume is made",
  },
  FULFILLMENT_DATABASE_PASSWORD: {
    default: 'fulfillment-local-only',
    description:
      "Password of the Fulfillment Service's role there, of the same characters; set when its volume is made",
  },
};
