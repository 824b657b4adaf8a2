import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@orders/platform/test/kit/until';
import { content, startProvider, temporaryFolder } from './running-provider.ts';

test('POST books and answers 201 with the shipment, and the look-up shows the same', async (t) => {
  const provider = await startProvider(t);
  const { status, body } = await provider.post('order-1');
  assert.equal(status, 201);
  assert.deepEqual(Object.keys(body), ['reference', 'trackingNumber', 'carrier', 'createdAt']);
  assert.match(String(body.trackingNumber), /^MP\d{12}$/);
  assert.ok(Math.abs(Date.now() - Date.parse(String(body.createdAt))) < 10_000);
  assert.deepEqual((await provider.lookUp('order-1')).body, body);
});

test('a look-up of what is not booked answers 404 shipment_not_found', async (t) => {
  const provider = await startProvider(t);
  await provider.post('refused', { productId: 'TEST-REFUSE' });
  for (const reference of ['refused', 'never-seen']) {
    const { status, headers, body } = await provider.lookUp(reference);
    assert.deepEqual([status, body.code], [404, 'shipment_not_found']);
    assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  }
});

test('the same Idempotency-Key gives the same shipment, also when many ask at once', async (t) => {
  const ledgerFile = join(await temporaryFolder(t), 'ledger');
  const provider = await startProvider(t, {}, ledgerFile);
  const answers = await Promise.all(Array.from({ length: 50 }, () => provider.post('same')));
  assert.equal(new Set(answers.map(({ body }) => body.trackingNumber)).size, 1);
  assert.ok(answers.every(({ status }) => status === 201));
  assert.deepEqual(await provider.ledger(), [
    { reference: 'same', bookings: 1, posts: 50, trackingNumber: 'MP000000000001', content },
  ]);
});

test('without an Idempotency-Key every POST books anew', async (t) => {
  const provider = await startProvider(t);
  const first = await provider.post('a', { key: null });
  const second = await provider.post('a', { key: null });
  assert.notEqual(first.body.trackingNumber, second.body.trackingNumber);
  assert.equal((await provider.ledger())[0]?.bookings, 2);
});

test('with dedupe off the same key books anew and the look-up finds the first booking', async (t) => {
  const provider = await startProvider(t, { SIMULATION_DEDUPE: 'false' });
  const first = await provider.post('a');
  const second = await provider.post('a');
  assert.deepEqual(
    [first.body.trackingNumber, second.body.trackingNumber],
    ['MP000000000001', 'MP000000000002'],
  );
  assert.deepEqual((await provider.lookUp('a')).body, first.body);
  assert.deepEqual(await provider.ledger(), [
    { reference: 'a', bookings: 2, posts: 2, trackingNumber: 'MP000000000001', content },
  ]);
});

test('an Idempotency-Key that is not the reference is refused and nothing is counted', async (t) => {
  const provider = await startProvider(t);
  const { status, body } = await provider.post('a', { key: 'b' });
  const errors = [{ parameter: 'idempotency-key', detail: 'must be the reference' }];
  assert.deepEqual([status, body.code, body.errors], [400, 'validation_failed', errors]);
  assert.deepEqual(await provider.ledger(), []);
});

test('a body that is not valid is refused with the pointer of every fault', async (t) => {
  const provider = await startProvider(t);
  const wrong = { reference: '', recipient: { customerId: 'c' }, items: [] };
  const { status, headers, body } = await provider.send('POST', '/api/shipments', wrong);
  assert.deepEqual([status, body.code], [400, 'validation_failed']);
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  const pointers = (body.errors as { pointer: string }[]).map(({ pointer }) => pointer);
  assert.deepEqual(pointers.sort(), ['/items', '/recipient/name', '/reference']);
  assert.equal((await provider.send('POST', '/api/shipments', '{')).body.code, 'invalid_json');
});

test('the answer waits for the latency, the booking does not', async (t) => {
  const provider = await startProvider(t, {
    SIMULATION_LATENCY_MS: '300',
    SIMULATION_LATENCY_JITTER_MS: '50',
  });
  const begun = performance.now();
  const posted = provider.post('a');
  await until('the look-up shows it', async () => (await provider.lookUp('a')).status === 200);
  assert.ok(performance.now() - begun < 290, 'booked before the answer');
  const { status } = await posted;
  assert.ok(performance.now() - begun >= 295);
  assert.equal(status, 201);
});

test('latency applies to refusals too', async (t) => {
  const provider = await startProvider(t, { SIMULATION_LATENCY_MS: '200' });
  const begun = performance.now();
  assert.equal((await provider.post('a', { productId: 'TEST-DOWN' })).status, 503);
  assert.ok(performance.now() - begun >= 195);
});

test('a caller that gives up during the latency finds its booking', async (t) => {
  const provider = await startProvider(t, { SIMULATION_LATENCY_MS: '60000' });
  await assert.rejects(provider.post('a', { signal: AbortSignal.timeout(100) }), {
    name: 'TimeoutError',
  });
  assert.equal((await provider.lookUp('a')).status, 200);
});

test('lookupDelayMs hides younger bookings', async (t) => {
  const provider = await startProvider(t, { SIMULATION_LOOKUP_DELAY_MS: '300' });
  const { body } = await provider.post('a');
  assert.equal((await provider.lookUp('a')).status, 404);
  await until('the look-up shows it', async () => (await provider.lookUp('a')).status === 200);
  assert.ok(Date.now() - Date.parse(String(body.createdAt)) >= 300);
});

test('the ledger is NDJSON sorted by reference, also for many references', async (t) => {
  const provider = await startProvider(t);
  const references = Array.from({ length: 300 }, () => crypto.randomUUID());
  await Promise.all(references.map((reference) => provider.post(reference)));
  await provider.post(references[7] ?? '');
  const entries = await provider.ledger();
  assert.deepEqual(
    entries.map(({ reference }) => reference),
    references.toSorted(),
  );
  assert.equal(entries.find(({ reference }) => reference === references[7])?.posts, 2);
  const { headers } = await fetch(`${provider.url}/simulation/ledger`, { method: 'HEAD' });
  assert.equal(headers.get('content-type'), 'application/x-ndjson');
});

test('a ledger that nobody reads to its end is let go', async (t) => {
  const provider = await startProvider(t);
  for (let round = 0; round < 3; round++) {
    const given = new AbortController();
    const response = await fetch(`${provider.url}/simulation/ledger`, { signal: given.signal });
    given.abort();
    assert.equal(response.status, 200);
  }
  await provider.close();
});

test('bookings, counts and keys survive a restart with a file, and the numbers go on', async (t) => {
  const ledgerFile = join(await temporaryFolder(t), 'deep', 'ledger');
  const before = await startProvider(t, {}, ledgerFile);
  const first = await before.post('a');
  await before.post('ä b/c', { key: null });
  await before.post('r', { productId: 'TEST-REFUSE' });
  const ledger = await before.ledger();
  await before.close();
  const after = await startProvider(t, {}, ledgerFile);
  assert.deepEqual(await after.ledger(), ledger);
  assert.deepEqual((await after.lookUp('a')).body, first.body);
  assert.equal((await after.lookUp('ä b/c')).status, 200);
  assert.deepEqual((await after.post('a')).body, first.body);
  assert.equal((await after.post('b')).body.trackingNumber, 'MP000000000003');
});

test('metrics count POSTs by fate and bookings; the service is alive and ready', async (t) => {
  const provider = await startProvider(t);
  await provider.post('a');
  await provider.post('a');
  await provider.post('b', { productId: 'TEST-REFUSE' });
  const metrics = await (await fetch(`${provider.url}/metrics`)).text();
  assert.match(metrics, /shipping_provider_posts_total{fate="book",service="shipping-provider"} 1/);
  assert.match(
    metrics,
    /shipping_provider_posts_total{fate="repeat",service="shipping-provider"} 1/,
  );
  assert.match(
    metrics,
    /shipping_provider_posts_total{fate="refuse",service="shipping-provider"} 1/,
  );
  assert.match(metrics, /shipping_provider_bookings_total{service="shipping-provider"} 1/);
  for (const path of ['/health/live', '/health/ready'])
    assert.equal((await provider.request(path)).status, 200);
});

test('a taken port is an error that names the variable', async (t) => {
  const { url } = await startProvider(t);
  const SHIPPING_PROVIDER_PORT = new URL(url).port;
  await assert.rejects(
    startProvider(t, { SHIPPING_PROVIDER_PORT }),
    /in use.*SHIPPING_PROVIDER_PORT/,
  );
});
