import assert from 'node:assert/strict';
import { test } from 'node:test';
import { misspelt } from '../../src/process/misspelt.ts';

const known = ['SHIPPING_TIMEOUT_SECONDS', 'ORDERS_DATABASE_URL', 'LOG_LEVEL', 'HOST'];
const meantBy = (name: string) => misspelt(known, [name])[0]?.meant;

test('a variable that is nearly one of ours is told with the one that was meant', () => {
  assert.equal(meantBy('SHIPING_TIMEOUT_SECONDS'), 'SHIPPING_TIMEOUT_SECONDS');
  assert.equal(meantBy('SHIPPING_TIMEOUT_SECOND'), 'SHIPPING_TIMEOUT_SECONDS');
  assert.equal(meantBy('shipping_timeout_seconds'), 'SHIPPING_TIMEOUT_SECONDS');
  assert.equal(meantBy('SHIPPING_TIMEOUT'), 'SHIPPING_TIMEOUT_SECONDS');
  assert.equal(meantBy('ORDER_DATABASE_URL'), 'ORDERS_DATABASE_URL');
});

test('our own variables and those of others are not told', () => {
  for (const name of ['ORDERS_DATABASE_URL', 'ORDERS_DATABASE_URL_FILE', 'HOSTNAME', 'HOSTS'])
    assert.equal(meantBy(name), undefined, name);
  for (const name of ['FULFILLMENT_DATABASE_URL', 'KAFKA_HEAP_OPTS', 'PATH', 'npm_config_loglevel'])
    assert.equal(meantBy(name), undefined, name);
});
