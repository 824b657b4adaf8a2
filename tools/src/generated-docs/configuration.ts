import { EmbeddedConfig } from '@orders/embedded/config';
import { kafkaAdvertisedPortVariable, kafkaPortVariable } from '@orders/embedded/variables';
import {
  FulfillmentMigrationConfig,
  FulfillmentProcessConfig,
} from '@orders/fulfillment-service/config';
import { OrderMigrationConfig, OrderProcessConfig } from '@orders/order-service/config';
import { isSecret } from '@orders/platform/process/config';
import { shippingProviderVariables } from '@orders/shipping-provider/config';
import { composeVariables } from './compose-variables.ts';

/** Several defaults: one per service, in their order. */
type Variable = { name: string; defaults: string[]; description: string; services: string[] };
type Schema = { default?: unknown; description?: string; enum?: unknown[] };

const readers: [string, Record<string, object>][] = [
  ['order', OrderProcessConfig.properties],
  ['fulfillment', FulfillmentProcessConfig.properties],
  ['shipping-provider', shippingProviderVariables],
  ['npm start', EmbeddedConfig.properties],
  ['npm run migrate:order-service', OrderMigrationConfig.properties],
  ['npm run migrate:fulfillment-service', FulfillmentMigrationConfig.properties],
  [
    'npm run kafka',
    {
      KAFKA_PORT: kafkaPortVariable,
      KAFKA_ADVERTISED_PORT: kafkaAdvertisedPortVariable,
      DATA_DIR: EmbeddedConfig.properties.DATA_DIR,
    },
  ],
  ['docker compose', composeVariables],
];

/**
 * Each variable once, with everyone who reads it; `npm start` reads them all and is named only
 * where nobody else does.
 */
function variables(): Variable[] {
  const byName = new Map<string, Variable>();
  for (const [service, properties] of readers) {
    for (const [name, schema] of Object.entries(properties) as [string, Schema][]) {
      const known = byName.get(name);
      const value = String(schema.default ?? '');
      if (known === undefined) {
        const values = schema.enum === undefined ? '' : ` (one of ${schema.enum.join(', ')})`;
        const file = isSecret(schema) ? `; may stand in a file that ${name}_FILE names` : '';
        const description = `${schema.description ?? ''}${values}${file}`;
        byName.set(name, { name, defaults: [value], description, services: [service] });
      } else if (service !== 'npm start') {
        known.services.push(service);
        if (!known.defaults.includes(value)) known.defaults.push(value);
      }
    }
  }
  return [...byName.values()];
}

const quoted = (value: string): string => (value === '' ? '' : `\`${value}\``);

/** docs/configuration.md */
export async function configurationPage(): Promise<string> {
  const rows = variables().map(
    ({ name, defaults, services, description }) =>
      `| \`${name}\` | ${defaults.map(quoted).join(', ')} | ${services.join(', ')} | ${description.replaceAll('<', '&lt;')} |`,
  );
  return `# Configuration

Made from the services' own schemas by \`npm run docs\`. Every variable may also stand in a file \`.env\` in the working directory;
what is set in the environment wins. A wrong value stops the start, with every fault listed at once.

\`npm start\` reads all of these but those of Kafka; \`npm run start:kafka\` reads all. Both supply an embedded PostgreSQL
where a database URL is unset, and a mock provider where \`SHIPPING_BASE_URL\` is unset. In containers the addresses are given by
[compose.yaml](../compose.yaml), and the ports are those of the host. Several defaults: one for each reader.

| variable | default | read by | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** .env.example: everything commented out, so that a copy changes nothing. */
export async function exampleEnvironment(): Promise<string> {
  const lines = variables().map((v) => {
    const value = v.defaults.length === 1 ? v.defaults[0] : '';
    return `# ${v.description}\n# ${v.name}=${value}\n`;
  });
  return `# Copy to .env and take off the leading "# " of what you change. Made by \`npm run docs\`.\n\n${lines.join('\n')}`;
}
