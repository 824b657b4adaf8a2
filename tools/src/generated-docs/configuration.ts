import { EmbeddedConfig } from '@orders/embedded/config';
import { FulfillmentConfig } from '@orders/fulfillment-service/config';
import { OrderConfig } from '@orders/order-service/config';
import { shippingProviderVariables } from '@orders/shipping-provider/config';

type Variable = { name: string; default: string; description: string; services: string[] };
type Schema = { default?: unknown; description?: string; enum?: unknown[] };

const readers: [string, Record<string, object>][] = [
  ['order', OrderConfig.properties],
  ['fulfillment', FulfillmentConfig.properties],
  ['shipping-provider', shippingProviderVariables],
  ['npm start', EmbeddedConfig.properties],
];

/** Each variable once, with everyone who reads it; `npm start` reads them all and is named only where nobody else does. */
function variables(): Variable[] {
  const byName = new Map<string, Variable>();
  for (const [service, properties] of readers) {
    for (const [name, schema] of Object.entries(properties) as [string, Schema][]) {
      const known = byName.get(name);
      if (known === undefined) {
        const values = schema.enum === undefined ? '' : ` (one of ${schema.enum.join(', ')})`;
        const description = `${schema.description ?? ''}${values}`;
        byName.set(name, { name, default: String(schema.default ?? ''), description, services: [service] });
      } else if (service !== 'npm start') known.services.push(service);
    }
  }
  return [...byName.values()];
}

/** docs/configuration.md */
export async function configurationPage(): Promise<string> {
  const rows = variables().map(
    (v) =>
      `| \`${v.name}\` | ${v.default === '' ? '' : `\`${v.default}\``} | ${v.services.join(', ')} | ${v.description} |`,
  );
  return `# Configuration

Made from the services' own schemas by \`npm run docs\`. Every variable may also stand in a file \`.env\` in the working directory;
what is set in the environment wins. A wrong value stops the start, with every fault listed at once.

\`npm start\` reads all of these. It supplies an embedded PostgreSQL where a database URL is unset, and a mock provider where
\`SHIPPING_BASE_URL\` is unset.

| variable | default | read by | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** .env.example: everything commented out, so that a copy changes nothing. */
export async function exampleEnvironment(): Promise<string> {
  const lines = variables().map((v) => `# ${v.description}\n# ${v.name}=${v.default}\n`);
  return `# Copy to .env and take off the leading "# " of what you change. Made by \`npm run docs\`.\n\n${lines.join('\n')}`;
}
