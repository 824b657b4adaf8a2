import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from '@orders/platform/process/config';
import { OrderProcessConfig, orderProcessRules } from '../src/config.ts';

/** Everything that prod demands; each test takes one thing away. */
const secure = {
  PROFILE: 'prod',
  API_KEYS_FILE: '/etc/orders/keys.json',
  TLS_ENDS_IN_FRONT: 'true',
  ORDERS_DATABASE_URL: 'postgres://orders_service:k3Jq0zV8@db.example/orders?sslmode=verify-full',
  KAFKA_SSL: 'true',
};

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(OrderProcessConfig, env, orderProcessRules);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
}

test('prod takes a secure configuration', () => assert.deepEqual(faultsOf(secure), []));

for (const [what, change, told] of [
  ['no API keys', { API_KEYS_FILE: '' }, /^API_KEYS_FILE/],
  ['no TLS and no word of TLS in front', { TLS_ENDS_IN_FRONT: '' }, /^TLS_CERT_FILE/],
  [
    'a default password',
    { ORDERS_DATABASE_URL: 'postgres://o:postgres@127.0.0.1/orders' },
    /^ORDERS_DATABASE_URL/,
  ],
  [
    'an unencrypted database',
    { ORDERS_DATABASE_URL: 'postgres://o:k3Jq0zV8@db.example/orders' },
    /^ORDERS_DATABASE_URL/,
  ],
  ['plain Kafka', { KAFKA_SSL: '' }, /^KAFKA_SSL/],
] as const) {
  test(`prod refuses ${what}`, () => {
    const faults = faultsOf({ ...secure, ...change });
    assert.equal(faults.length, 1, faults.join('\n'));
    assert.match(faults[0] ?? '', told);
  });
}

test('everything that is missing is told at once', () => {
  assert.deepEqual(
    faultsOf({ PROFILE: 'prod', ORDER_SERVICE_PORT: 'x' }).map((fault) => fault.split(' ')[0]),
    ['ORDERS_DATABASE_URL', 'ORDER_SERVICE_PORT', 'API_KEYS_FILE', 'TLS_CERT_FILE', 'KAFKA_SSL'],
  );
});
