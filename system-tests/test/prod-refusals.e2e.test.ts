import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { localhostTls } from '@orders/lab/kit/localhost-certificate';
import { runScript } from '@orders/lab/kit/program';

const directory = mkdtempSync(join(tmpdir(), 'orders-prod-refusals-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

/** Stands in every database URL and password here and must stand in no output. */
const secret = 'k3Jq0zV8';
const databaseUrl = (name: string): string =>
  `postgres://${name}_service:${secret}@db.example/${name}?sslmode=verify-full`;
const door = { PROFILE: 'prod', API_KEYS_FILE: file('keys.json', '[]'), ...localhostTls };
const orders = { ...door, ORDERS_DATABASE_URL: databaseUrl('orders'), KAFKA_SSL: 'true' };
const fulfillment = {
  ...door,
  FULFILLMENT_DATABASE_URL: databaseUrl('fulfillment'),
  KAFKA_SSL: 'true',
  SHIPPING_BASE_URL: 'https://ship.example',
};
const everything = { ...orders, ...fulfillment };

/**
 * Each takes one thing away from a configuration that is refused for nothing else. An empty
 * variable counts as unset.
 */
type Case = [what: string, change: Record<string, string>, names: string];
const doorCases: Case[] = [
  ['no API keys', { API_KEYS_FILE: '' }, 'API_KEYS_FILE'],
  [
    'a file of API keys that is not there',
    { API_KEYS_FILE: join(directory, 'none') },
    'API_KEYS_FILE',
  ],
  ['no TLS', { TLS_CERT_FILE: '', TLS_KEY_FILE: '' }, 'TLS_CERT_FILE'],
  ['a certificate without its key', { TLS_KEY_FILE: '' }, 'TLS_KEY_FILE'],
  ['a certificate that is none', { TLS_CERT_FILE: door.API_KEYS_FILE }, 'TLS_CERT_FILE'],
  ['everybody as a trusted proxy', { TRUST_PROXY: '0.0.0.0/0' }, 'TRUST_PROXY'],
  ['a profile that there is not', { PROFILE: 'production' }, 'PROFILE'],
];
const databaseCases = (name: string, url: string): Case[] => [
  ['no database', { [name]: '' }, name],
  [
    'a database password that anybody would guess',
    { [name]: url.replace(secret, 'postgres') },
    name,
  ],
  ['a database password that cannot be read', { [name]: url.replace(secret, `${secret}%`) }, name],
  ['a plain connection to a database', { [name]: url.replace('verify-full', 'disable') }, name],
  [
    'a database that may show any certificate',
    { [name]: url.replace('verify-full', 'no-verify') },
    name,
  ],
  ['a secret that is given twice', { [`${name}_FILE`]: file(name, url) }, `${name}_FILE`],
];
const kafkaCases: Case[] = [
  ['plain Kafka', { KAFKA_SSL: '' }, 'KAFKA_SSL'],
  [
    'a readable password for Kafka',
    { KAFKA_SSL: '', KAFKA_SASL_MECHANISM: 'PLAIN' },
    'KAFKA_SASL_MECHANISM',
  ],
];
const providerCases: Case[] = [
  ['no provider of its own', { SHIPPING_BASE_URL: '' }, 'SHIPPING_BASE_URL'],
  [
    'a plain connection to the provider',
    { SHIPPING_BASE_URL: 'http://ship.example' },
    'SHIPPING_BASE_URL',
  ],
];

refuses('order-service', orders, [
  ...doorCases,
  ...databaseCases('ORDERS_DATABASE_URL', orders.ORDERS_DATABASE_URL),
  ...kafkaCases,
]);
refuses('fulfillment-service', fulfillment, [
  ...doorCases,
  ...databaseCases('FULFILLMENT_DATABASE_URL', fulfillment.FULFILLMENT_DATABASE_URL),
  ...kafkaCases,
  ...providerCases,
]);
refuses('shipping-provider', { PROFILE: 'prod' }, [['itself: it is a mock', {}, 'PROFILE']]);
refuses('start', everything, [
  ...doorCases.filter(([what]) => !/that is/.test(what)),
  ['the embedded database', { ORDERS_DATABASE_URL: '' }, 'ORDERS_DATABASE_URL'],
  ...providerCases,
]);
refuses('start:kafka', everything, [
  ['no API keys', { API_KEYS_FILE: '' }, 'API_KEYS_FILE'],
  ['the embedded database', { FULFILLMENT_DATABASE_URL: '' }, 'FULFILLMENT_DATABASE_URL'],
  ...kafkaCases,
  ...providerCases,
]);
const owner = { ...orders, ORDERS_MIGRATION_DATABASE_URL: orders.ORDERS_DATABASE_URL };
refuses(
  'migrate:order-service',
  owner,
  databaseCases('ORDERS_MIGRATION_DATABASE_URL', owner.ORDERS_MIGRATION_DATABASE_URL).filter(
    ([what]) => /anybody would|plain/.test(what),
  ),
);

function refuses(script: string, secure: Record<string, string>, cases: Case[]): void {
  describe(`in prod ${script} refuses`, { concurrency: 2 }, () => {
    for (const [what, change, name] of cases) {
      test(what, async () => {
        const { code, output } = await runScript(script, {
          directory,
          env: { ...secure, ...change },
        });
        assert.equal(code, 1, output);
        assert.match(output, new RegExp(`1 fault\\(s\\):\\n {2}(?:\\w+ and )?${name}\\b`));
        assert.ok(!output.includes(secret), output);
      });
    }
  });
}

test('the configuration that is refused for nothing else has no fault, and is printed without a secret', async () => {
  const services = {
    'order-service': orders,
    'fulfillment-service': fulfillment,
    start: everything,
  };
  for (const [service, env] of Object.entries(services)) {
    const more = {
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: `a:${secret}`,
    };
    const { code, output } = await runScript('config', {
      directory,
      env: { ...env, ...more },
      args: [service],
    });
    assert.equal(code, 0, output);
    assert.match(
      output,
      /_DATABASE_URL +postgres:\/\/\w+_service:\*\*\*@db\.example\/\w+ +environment/,
    );
    assert.ok(!output.includes(secret), output);
  }
});

test('a secret from a file is named by its file, and not shown', async () => {
  const { ORDERS_DATABASE_URL, ...rest } = orders;
  const env = { ...rest, ORDERS_DATABASE_URL_FILE: file('url', `${ORDERS_DATABASE_URL}\n`) };
  const { code, output } = await runScript('config', { directory, env, args: ['order-service'] });
  assert.equal(code, 0, output);
  assert.match(
    output,
    /orders_service:\*\*\*@db.example\/orders +ORDERS_DATABASE_URL_FILE .*url$/m,
  );
  assert.ok(!output.includes(secret), output);
});
