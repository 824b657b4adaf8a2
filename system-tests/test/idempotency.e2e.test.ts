import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { anOrder, post, readOrders } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';

const system = await startSystem();
const { url } = system;
const keyed = (key: string) => ({ 'idempotency-key': key });
const countOf = async (customerId: string) => (await readOrders(url, { customerId })).length;

test('The same key with the same content gives the first answer again and makes no second order', async () => {
  const order = anOrder({ customerId: 'replay' });
  const first = await post(url, order, keyed('replay'));
  assert.equal(first.status, 201, first.text);
  assert.equal(first.headers['idempotent-replayed'], undefined);
  for (let repeats = 0; repeats < 3; repeats += 1) {
    const again = await post(url, order, keyed('replay'));
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.deepEqual([again.status, again.text], [201, first.text]);
    assert.equal(again.headers.location, first.headers.location);
  }
  assert.equal(await countOf('replay'), 1);
});

test('Content is compared as it was understood, not as bytes: other order, spaces, escapes and number forms are the same', async () => {
  const first = await post(url, anOrder({ customerId: 'format' }), keyed('format'));
  const body = `{ "items" : [ {"unitPrice": 1999e-2, "quantity": 2.0, "productId": "product\\u002d456"} ],
    "currency": "EUR", "customerName": "Jane\\u0020Roe", "customerId": "format" }`;
  const headers = { 'content-type': 'application/json; charset=utf-8', ...keyed('format') };
  const again = await call('POST', `${url}/api/orders`, { body, headers });
  assert.deepEqual([again.status, again.text], [201, first.text]);
  assert.equal(again.headers['idempotent-replayed'], 'true');
});

test('The same key with other content is 422 and changes nothing', async () => {
  const order = anOrder({ customerId: 'reuse' });
  const first = await post(url, order, keyed('reuse'));
  const others = [
    { ...order, customerName: 'Jane  Roe' },
    { ...order, currency: undefined },
    { ...order, items: [...order.items, ...order.items] },
    { ...order, items: [{ productId: 'product-456', quantity: 2 }] },
  ];
  for (const other of others) {
    const refused = await post(url, other, keyed('reuse'));
    assert.deepEqual(
      [refused.status, refused.body.code],
      [422, 'idempotency_key_reused'],
      refused.text,
    );
  }
  assert.equal((await post(url, order, keyed('reuse'))).text, first.text);
  assert.equal(await countOf('reuse'), 1);
});

test('Keys that differ only in letter case are different keys, and without a key the same content is two orders', async () => {
  const order = anOrder({ customerId: 'distinct' });
  for (const headers of [keyed('distinct'), keyed('DISTINCT'), {}, {}]) {
    assert.equal((await post(url, order, headers)).status, 201);
  }
  assert.equal(await countOf('distinct'), 4);
});

test('Fifty requests at once with one key make one order, and all get its answer', async () => {
  const order = anOrder({ customerId: 'fifty' });
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => post(url, order, keyed('fifty'))),
  );
  const accepted = answers.filter(({ status }) => status === 201);
  for (const { status, body, text } of answers) {
    assert.ok(status === 201 || (status === 409 && body.code === 'idempotency_in_progress'), text);
  }
  assert.equal(new Set(accepted.map(({ text }) => text)).size, 1);
  assert.equal(
    accepted.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length,
    1,
  );
  assert.equal(await countOf('fifty'), 1);
});

test('Many keys in one moment, each twice and once with other content, make one order each', async () => {
  const requests = Array.from({ length: 40 }, (_, n) =>
    [0, 0, 1].map((other) => ({ n, other })),
  ).flat();
  const answers = await Promise.all(
    requests.map(({ n, other }) =>
      post(url, anOrder({ customerId: `many-${n}`, customerName: `${other}` }), keyed(`many-${n}`)),
    ),
  );
  for (const { status, text } of answers) assert.ok([201, 409, 422].includes(status), text);
  for (let n = 0; n < 40; n += 1) assert.equal(await countOf(`many-${n}`), 1, `many-${n}`);
});

test('A refusal is not remembered: the key is free for the corrected order', async () => {
  const wrong = await post(
    url,
    { ...anOrder({ customerId: 'corrected' }), items: [] },
    keyed('corrected'),
  );
  assert.equal(wrong.status, 400, wrong.text);
  const right = await post(url, anOrder({ customerId: 'corrected' }), keyed('corrected'));
  assert.equal(right.status, 201, right.text);
  assert.equal(right.headers['idempotent-replayed'], undefined);
});

test('After kill -9 of everything and a restart the key still gives the first answer', async () => {
  const order = anOrder({ customerId: 'restart' });
  const first = await post(url, order, keyed('restart'));
  await system.kill('everything');
  await system.start();
  const again = await post(url, order, keyed('restart'));
  assert.deepEqual(
    [again.status, again.text, again.headers['idempotent-replayed']],
    [201, first.text, 'true'],
  );
  assert.equal((await post(url, anOrder({ customerId: 'other' }), keyed('restart'))).status, 422);
  assert.equal(await countOf('restart'), 1);
});
