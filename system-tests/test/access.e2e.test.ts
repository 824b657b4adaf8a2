import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { anOrder } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

type OpenApi = { paths: Record<string, Record<string, { security?: { apiKey?: string[] }[] }>> };
const directory = mkdtempSync(join(tmpdir(), 'orders-access-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const keys = join(directory, 'keys.json');
const system = await startSystem({
  env: {
    PROFILE: 'dev',
    API_KEYS_FILE: keys,
    TLS_ENDS_IN_FRONT: 'true',
    RATE_LIMIT_PER_SECOND: '1000',
  },
});
const headers = { authorization: `Bearer ${readFileSync(`${keys}.key`, 'utf8').trim()}` };
const open = ['/health/live', '/health/ready'];

test('Every route of both services but health asks for a key', async () => {
  let asked = 0;
  for (const base of [system.url, system.fulfillmentUrl]) {
    const { paths } = (await call<OpenApi>('GET', `${base}/openapi.json`)).body;
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { security }] of Object.entries(methods)) {
        const url = base + path.replace('{orderId}', crypto.randomUUID()).replace(/\{\w+\}/, 'x');
        const answer = await call<{ code: string }>(method.toUpperCase(), url);
        if (open.includes(path)) assert.equal(answer.status, 200, path);
        else
          assert.deepEqual(
            [answer.status, answer.body.code],
            [401, 'unauthenticated'],
            `${method} ${path}`,
          );
        assert.equal(security === undefined, open.includes(path), `${method} ${path}`);
        asked += 1;
      }
    }
  }
  assert.ok(asked >= 12, `only ${asked} routes`);
});

test('With a key an order is placed, ships and can be seen by operators', async () => {
  const placed = await call<{ orderId: string }>('POST', `${system.url}/api/orders`, {
    headers,
    json: anOrder(),
  });
  assert.equal(placed.status, 201);
  const shown = `${system.url}/api/orders/${placed.body.orderId}`;
  await until('the order to be Shipped', 15, async () => {
    const { body } = await call<{ status: string }>('GET', shown, { headers });
    return body.status === 'Shipped';
  });
  const filed = await call(
    'GET',
    `${system.fulfillmentUrl}/api/fulfillments/${placed.body.orderId}`,
    { headers },
  );
  assert.equal(filed.status, 200);
  assert.equal((await call('GET', `${system.url}/metrics`, { headers })).status, 200);
});

test('The key stands in no line of the log', () => {
  assert.ok(!system.tail().includes(headers.authorization.slice(-43)));
});
