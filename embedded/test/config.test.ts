import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '@orders/platform/process/config';
import { EmbeddedConfig, embeddedRules } from '../src/config.ts';

const read = (env: NodeJS.ProcessEnv) => readConfig(EmbeddedConfig, env, embeddedRules);

test('two services on one port are refused with both variables, defaults included', () => {
  assert.throws(
    () => read({ FULFILLMENT_SERVICE_PORT: '5000', SHIPPING_PROVIDER_PORT: '5000' }),
    /ORDER_SERVICE_PORT and FULFILLMENT_SERVICE_PORT[\s\S]*FULFILLMENT_SERVICE_PORT and SHIPPING_PROVIDER_PORT/,
  );
});

test('any free port may be asked for twice, and a mock that is not started has no port', () => {
  read({ ORDER_SERVICE_PORT: '0', FULFILLMENT_SERVICE_PORT: '0' });
  read({ SHIPPING_BASE_URL: 'http://127.0.0.1:9', SHIPPING_PROVIDER_PORT: '5000' });
});
