import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import {
  anOrder,
  anOrderOf,
  place,
  readOrder,
  readOrders,
  readPage,
  untilOrder,
} from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';

const { url } = await startSystem();

const placeMany = (count: number, customerId: string): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => place(url, anOrder({ customerId }))));

test('Pages hold every order once, newest first, while new orders arrive', async () => {
  const placed = await placeMany(45, 'pager');
  const found: string[] = [];
  let pageToken: string | null = null;
  let pages = 0;
  do {
    const page = await readPage(url, {
      customerId: 'pager',
      limit: 10,
      ...(pageToken !== null && { pageToken }),
    });
    assert.ok(page.items.length <= 10);
    found.push(...page.items.map(({ orderId }) => orderId));
    pageToken = page.nextPageToken;
    await placeMany(3, 'pager');
    pages += 1;
  } while (pageToken !== null && pages < 20);
  assert.equal(pageToken, null);
  assert.deepEqual(found.toSorted(), placed.toSorted());
  const times = await Promise.all(
    found.map(async (orderId) => (await readOrder(url, orderId)).createdAt),
  );
  assert.deepEqual(times, times.toSorted().toReversed());
});

test('A page has 50 entries unless the query says otherwise; an entry is the order with its count of items instead of them', async () => {
  await placeMany(51, 'default-limit');
  const page = await readPage(url, {});
  assert.equal(page.items.length, 50);
  assert.ok(page.nextPageToken);
  const orderId = await place(url, anOrder({ customerId: 'entry' }));
  const { items, ...order } = await untilOrder(url, orderId, 'Shipped');
  assert.deepEqual((await readPage(url, { customerId: 'entry' })).items, [
    { ...order, itemCount: items.length },
  ]);
});

test('The filters for status, customer and time find exactly what they name, alone and together', async () => {
  const customerId = "filter's & 100%";
  const shipped = await placeMany(4, customerId);
  const refused = await place(url, { ...anOrderOf('TEST-REFUSE'), customerId });
  for (const orderId of shipped) await untilOrder(url, orderId, 'Shipped');
  await untilOrder(url, refused, 'Failed');
  const idsOf = async (query: Record<string, string>) =>
    (await readOrders(url, { customerId, ...query })).map(({ orderId }) => orderId).toSorted();
  assert.deepEqual(await idsOf({}), [...shipped, refused].toSorted());
  assert.deepEqual(await idsOf({ status: 'Shipped' }), shipped.toSorted());
  assert.deepEqual(await idsOf({ status: 'Failed' }), [refused]);
  for (const status of ['Created', 'Pending', 'Processing', 'Retrying', 'Cancelled']) {
    assert.deepEqual(await idsOf({ status }), [], status);
  }
  const { createdAt } = await readOrder(url, refused);
  assert.ok((await idsOf({ createdFrom: createdAt })).includes(refused));
  assert.deepEqual(await idsOf({ createdTo: createdAt }), [...shipped, refused].toSorted());
  const after = new Date(Date.parse(createdAt) + 1_000).toISOString();
  assert.deepEqual(await idsOf({ createdFrom: after }), []);
  assert.deepEqual(await idsOf({ createdFrom: createdAt, createdTo: after, status: 'Failed' }), [
    refused,
  ]);
  assert.deepEqual((await readPage(url, { customerId: 'nobody' })).items, []);
});

test('A query names every fault at once and is never guessed at', async () => {
  const faults: [query: string, ...parameters: string[]][] = [
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['status=shipped', 'status'],
    ['createdFrom=yesterday', 'createdFrom'],
    ['createdTo=2026-99-99T00:00:00Z', 'createdTo'],
    ['pageToken=nonsense', 'pageToken'],
    [`pageToken=${'a'.repeat(300)}`, 'pageToken'],
    ['customerId=', 'customerId'],
    ['customerId=%00', 'customerId'],
    ['page=2', 'page'],
    ['limit=0&status=Nope&createdFrom=x&surprise=1', 'createdFrom', 'limit', 'status', 'surprise'],
  ];
  for (const [query, ...parameters] of faults) {
    const { status, body, text } = await call('GET', `${url}/api/orders?${query}`);
    assert.deepEqual([status, body?.code], [400, 'validation_failed'], `${query}: ${text}`);
    const named = new Set((body.errors ?? []).map(({ parameter }) => String(parameter)));
    assert.deepEqual([...named].toSorted(), parameters, `${query}: ${text}`);
  }
});
