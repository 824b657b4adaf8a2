import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientConnectionsMax } from '../../src/http/connections-max.ts';

test('the clients of a server follow the limit of open files, and never leave none in reserve', () => {
  assert.equal(clientConnectionsMax(256), 32);
  assert.equal(clientConnectionsMax(1_024), 416);
  assert.equal(clientConnectionsMax(1_048_576), 10_000);
  assert.equal(clientConnectionsMax(64), 16);
});
