import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FulfillmentProcessConfig } from '@orders/fulfillment-service/config';
import { OrderProcessConfig, orderRules } from '@orders/order-service/config';
import { shippingProviderVariables } from '@orders/shipping-provider/config';
import { composeVariables } from '../../src/generated-docs/compose-variables.ts';

const compose = await readFile(join(import.meta.dirname, '../../../compose.yaml'), 'utf8');

/**
 * What the containers decide for themselves: addresses, the one broker, and names that replicas
 * must not share.
 */
const decided =
  /^HOST$|^TLS_(?:CERT|KEY)_FILE$|^KAFKA_(?:TOPIC_REPLICATION|GROUP_ID|GROUP_INSTANCE_ID|SSL.*|SASL_.*)$/;

test('compose.yaml hands on every variable that a service in a container may be given', () => {
  const read = {
    ...OrderProcessConfig.properties,
    ...FulfillmentProcessConfig.properties,
    ...shippingProviderVariables,
  };
  const forgotten = Object.keys(read).filter(
    (name) => !decided.test(name) && !new RegExp(`\\b${name}\\b`).test(compose),
  );
  assert.deepEqual(forgotten, []);
});

test('compose.yaml uses the defaults that .env.example shows', () => {
  const used = [...compose.matchAll(/\$\{(\w+_PASSWORD):-([^}]*)\}/g)].map(
    ([, name, value]) => `${name}=${value}`,
  );
  const shown = Object.entries(composeVariables).map(
    ([name, variable]) => `${name}=${variable.default}`,
  );
  assert.deepEqual([...new Set(used)].sort(), shown.sort());
});

test('whom compose.yaml trusts to say where a request came from is taken by the services', () => {
  const [, proxies = ''] = /TRUST_PROXY: (.+)/.exec(compose) ?? [];
  assert.notEqual(proxies, '');
  assert.deepEqual(orderRules({ TRUST_PROXY: proxies }), []);
});
