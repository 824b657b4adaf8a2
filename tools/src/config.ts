import { EmbeddedConfig, embeddedRules } from '@orders/embedded/config';
import {
  FulfillmentProcessConfig,
  fulfillmentProcessRules,
} from '@orders/fulfillment-service/config';
import { OrderProcessConfig, orderProcessRules } from '@orders/order-service/config';
import { CommandLineError, runCommand } from '@orders/platform/process/command-line';
import {
  ConfigError,
  type ConfigRules,
  gather,
  isSecret,
  loadEnvFile,
  readConfig,
} from '@orders/platform/process/config';
import {
  ShippingProviderProcessConfig,
  shippingProviderRules,
} from '@orders/shipping-provider/config';
import type { TObject } from 'typebox';

/**
 * `npm run config -- SERVICE`: what the service would start with, where each value is from, and
 * every fault; secrets are not shown.
 */
const services: Record<string, { schema: TObject; rules: ConfigRules<never> }> = {
  'order-service': { schema: OrderProcessConfig, rules: orderProcessRules },
  'fulfillment-service': { schema: FulfillmentProcessConfig, rules: fulfillmentProcessRules },
  'shipping-provider': { schema: ShippingProviderProcessConfig, rules: shippingProviderRules },
  start: { schema: EmbeddedConfig, rules: embeddedRules },
};

const names = Object.keys(services).join(' | ');
const usage = `Usage: npm run config -- ${names}
  shows each variable of a service with its value and origin, and every fault
`;

await runCommand({ usage, options: {}, allowPositionals: true }, async ({ positionals }) => {
  const service = services[positionals[0] ?? ''];
  if (service === undefined || positionals.length > 1)
    throw new CommandLineError(`Say which: ${names}.`);
  return show(service);
});

function show(service: (typeof services)[string]): number {
  const fromFile = loadEnvFile();
  const { schema, rules } = service;
  const { values, sources } = gather(schema, process.env);
  const rows = Object.entries(schema.properties).map(([variable, one]) => {
    const isGiven = variable in values;
    const fallback = (one as { default?: unknown }).default;
    const value = isGiven ? values[variable] : fallback;
    const source = sources[variable] ?? '';
    const from = !isGiven
      ? fallback === undefined
        ? 'unset'
        : 'default'
      : source !== variable
        ? source
        : fromFile.has(variable)
          ? '.env'
          : 'environment';
    return {
      variable,
      shown: isGiven && isSecret(one) ? redacted(String(value)) : String(value ?? ''),
      from,
    };
  });
  const width = (pick: (row: (typeof rows)[number]) => string): number =>
    Math.max(...rows.map((row) => pick(row).length));
  const [first, second] = [width((row) => row.variable), width((row) => row.shown)];
  for (const { variable, shown, from } of rows) {
    process.stdout.write(`${variable.padEnd(first)}  ${shown.padEnd(second)}  ${from}\n`);
  }
  try {
    readConfig(schema, process.env, rules as ConfigRules<unknown>);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`\n${error.message}\n`);
    return 1;
  }
  return 0;
}

/**
 * A database's URL without its password and parameters, anything else not at all: any text with a
 * colon may pass for a URL.
 */
function redacted(value: string): string {
  const { protocol, username, password, host, pathname } = URL.canParse(value)
    ? new URL(value)
    : ({} as Partial<URL>);
  const isWhole =
    /^postgres(ql)?:$/.test(protocol ?? '') && password !== '' && !pathname?.includes('@');
  return isWhole ? `${protocol}//${username}:***@${host}${pathname}` : '***';
}
