import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from '@orders/platform/process/config';
import { FulfillmentProcessConfig, fulfillmentProcessRules } from '../src/config.ts';

/** Everything that prod demands; each test takes one thing away. */
const secure = {
  PROFILE: 'prod',
  API_KEYS_FILE: '/etc/orders/keys.json',
  TLS_CERT_FILE: '/etc/orders/cert.pem',
  TLS_KEY_FILE: '/etc/orders/key.pem',
  FULFILLMENT_DATABASE_URL:
    'postgres://fulfillment_service:k3Jq0zV8@db.example/fulfillment?sslmode=verify-full',
  KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
  SHIPPING_BASE_URL: 'https://ship.example',
};

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(FulfillmentProcessConfig, env, fulfillmentProcessRules);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
}

test('prod takes a secure configuration', () => assert.deepEqual(faultsOf(secure), []));

for (const [what, change, told] of [
  ['no API keys', { API_KEYS_FILE: '' }, /^API_KEYS_FILE/],
  ['no TLS', { TLS_CERT_FILE: '', TLS_KEY_FILE: '' }, /^TLS_CERT_FILE/],
  [
    'a database without a password',
    { FULFILLMENT_DATABASE_URL: 'postgres://f@127.0.0.1/f' },
    /has no password$/,
  ],
  ['plain Kafka', { KAFKA_SASL_MECHANISM: '' }, /^KAFKA_SSL/],
  ['the default provider, the mock', { SHIPPING_BASE_URL: '' }, /mock provider is not for prod/],
  [
    'a provider without TLS',
    { SHIPPING_BASE_URL: 'http://ship.example' },
    /^SHIPPING_BASE_URL must begin with https/,
  ],
] as const) {
  test(`prod refuses ${what}`, () => {
    const faults = faultsOf({ ...secure, ...change });
    assert.equal(faults.length, 1, faults.join('\n'));
    assert.match(faults[0] ?? '', told);
  });
}

for (const [what, url, told] of [
  ['a password', 'https://user:s3cret@ship.example', /user name and password: set SHIPPING_AUTH/],
  ['a query', 'http://127.0.0.1:1/?key=s3cret', /must have no query/],
  ['a fragment', 'http://127.0.0.1:1/#s3cret', /must have no fragment/],
] as const) {
  test(`an address of the provider with ${what} is refused, and not repeated`, () => {
    const { FULFILLMENT_DATABASE_URL } = secure;
    const faults = faultsOf({ FULFILLMENT_DATABASE_URL, SHIPPING_BASE_URL: url });
    assert.equal(faults.length, 1, faults.join('\n'));
    assert.match(faults[0] ?? '', told);
    assert.doesNotMatch(faults[0] ?? '', /s3cret/);
  });
}
