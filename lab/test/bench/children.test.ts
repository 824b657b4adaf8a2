import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { test } from 'node:test';
import { runLoad, startServer } from '../../src/bench/children.ts';

test('a measured server starts with data of its own, takes load from another process, and leaves nothing behind', async () => {
  const server = await startServer('serve-echo.ts');
  await access(server.dataDir);
  let isMeasuring = false;
  const body = JSON.stringify({
    customerId: '1',
    customerName: 'One',
    items: [{ productId: '1', quantity: 1 }],
  });
  const load = { url: `${server.url}/api/orders`, bodies: [body], connections: 4 };
  const result = await runLoad({ shape: 'count', count: 50, load }, () => {
    isMeasuring = true;
  });
  assert.equal(result.accepted, 50);
  assert.deepEqual(result.others, {});
  assert.equal(isMeasuring, true);
  await server.stop();
  await assert.rejects(access(server.dataDir));
});

test('a server that cannot start fails with its last words', async () => {
  await assert.rejects(
    startServer('no-such-program.ts'),
    /no-such-program\.ts ended \(1\): [\s\S]*Cannot find module/,
  );
});
