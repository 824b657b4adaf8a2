import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until } from '@orders/platform/test/kit/until';
import { content, startProvider } from './running-provider.ts';

test('TEST-REFUSE answers 422 with a message and books nothing', async (t) => {
  const provider = await startProvider(t);
  const { status, body } = await provider.post('a', { productId: 'TEST-REFUSE' });
  assert.deepEqual([status, body.code], [422, 'shipment_refused']);
  assert.ok(String(body.detail).length > 10);
  assert.deepEqual(await provider.ledger(), [
    { reference: 'a', bookings: 0, posts: 1, trackingNumber: null, content: null },
  ]);
});

test('TEST-DOWN always answers 503 with Retry-After, TEST-FLAKY-2 twice and then ships', async (t) => {
  const provider = await startProvider(t);
  const { status, headers, body } = await provider.post('down', { productId: 'TEST-DOWN' });
  assert.deepEqual(
    [status, body.code, headers.get('retry-after')],
    [503, 'provider_unavailable', '1'],
  );
  const statuses = [];
  for (let post = 0; post < 4; post++)
    statuses.push((await provider.post('f', { productId: 'TEST-FLAKY-2' })).status);
  assert.deepEqual(statuses, [503, 503, 201, 201]);
  assert.deepEqual((await provider.ledger()).at(-1), {
    reference: 'f',
    bookings: 1,
    posts: 4,
    trackingNumber: 'MP000000000001',
    content: hash('sha256', 'c\x1fn\x1fTEST-FLAKY-2\x1f1'),
  });
});

test('TEST-LOST-RESPONSE books and drops the connection the first time, then answers with that booking', async (t) => {
  const provider = await startProvider(t);
  await assert.rejects(provider.post('a', { productId: 'TEST-LOST-RESPONSE' }), {
    message: 'fetch failed',
  });
  const found = await provider.lookUp('a');
  assert.equal(found.status, 200);
  assert.deepEqual(
    (await provider.post('a', { productId: 'TEST-LOST-RESPONSE' })).body,
    found.body,
  );
  assert.equal((await provider.ledger())[0]?.bookings, 1);
});

test('TEST-HANG never answers and books nothing; its key is free afterwards', async (t) => {
  const provider = await startProvider(t);
  const given = provider.post('a', { productId: 'TEST-HANG', signal: AbortSignal.timeout(300) });
  await assert.rejects(given, { name: 'TimeoutError' });
  assert.equal((await provider.lookUp('a')).status, 404);
  assert.equal((await provider.post('a')).status, 201);
  assert.deepEqual(await provider.ledger(), [
    { reference: 'a', bookings: 1, posts: 2, trackingNumber: 'MP000000000001', content },
  ]);
});

test('close drops hanging requests and answers delayed ones', async (t) => {
  const provider = await startProvider(t);
  const hanging = assert.rejects(provider.post('h', { productId: 'TEST-HANG' }), {
    message: 'fetch failed',
  });
  await until('the first POST is counted', async () => (await provider.ledger()).length === 1);
  await provider.simulate({ latencyMs: 600_000 });
  const delayed = provider.post('d');
  await until('the second POST is counted', async () => (await provider.ledger()).length === 2);
  await provider.close();
  await hanging;
  assert.equal((await delayed).status, 201);
});

test('close does not wait for a connection that never sends a request', async (t) => {
  const provider = await startProvider(t);
  const socket = connect(Number(new URL(provider.url).port), '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const begun = performance.now();
  await provider.close();
  assert.ok(performance.now() - begun < 5_000);
});

test('rates of the environment hold from the start, and PUT changes only what it names', async (t) => {
  const provider = await startProvider(t, {
    SIMULATION_FAILURE_RATE: '1',
    SIMULATION_LATENCY_MS: '1',
  });
  assert.equal((await provider.post('a')).status, 503);
  const { status, body } = await provider.simulate({ failureRate: 0, refuseRate: 1 });
  assert.deepEqual(
    [status, body.failureRate, body.refuseRate, body.latencyMs, body.dedupe],
    [200, 0, 1, 1, true],
  );
  assert.deepEqual((await provider.request('/simulation')).body, body);
  assert.equal((await provider.post('a')).status, 422);
  await provider.simulate({ refuseRate: 0, lostResponseRate: 1 });
  await assert.rejects(provider.post('a'), { message: 'fetch failed' });
  await provider.simulate({ lostResponseRate: 0, hangRate: 1 });
  await assert.rejects(provider.post('b', { signal: AbortSignal.timeout(200) }), {
    name: 'TimeoutError',
  });
  assert.equal((await provider.post('a')).status, 201, 'booked when its answer was lost');
});

test('the simulation refuses unknown properties and wrong values, each with its pointer, and changes nothing', async (t) => {
  const provider = await startProvider(t);
  const before = (await provider.request('/simulation')).body;
  const { status, body } = await provider.simulate({
    latencyMs: 5,
    failureRate: 2,
    dedupe: 'no',
    latency: 1,
  });
  assert.deepEqual([status, body.code], [400, 'validation_failed']);
  const pointers = (body.errors as { pointer: string }[]).map(({ pointer }) => pointer);
  assert.deepEqual(pointers.sort(), ['/dedupe', '/failureRate', '/latency']);
  assert.deepEqual((await provider.request('/simulation')).body, before);
});

test('the same seed gives the same fates again, in the same provider and in another', async (t) => {
  const env = {
    SIMULATION_SEED: '42',
    SIMULATION_FAILURE_RATE: '0.3',
    SIMULATION_REFUSE_RATE: '0.3',
  };
  const [one, other] = [await startProvider(t, env), await startProvider(t, env)];
  const run = async (provider: typeof one) => {
    const statuses: number[] = [];
    for (let post = 0; post < 40; post++)
      statuses.push((await provider.post(crypto.randomUUID())).status);
    return statuses;
  };
  const first = await run(one);
  assert.equal(new Set(first).size, 3);
  assert.deepEqual(await run(other), first);
  assert.notDeepEqual(await run(one), first);
  await one.simulate({ seed: 42 });
  assert.deepEqual(await run(one), first);
});

test('Answers with nulls, with the shipment of another reference, and a page instead of a look-up, on demand', async (t) => {
  const provider = await startProvider(t);
  await provider.simulate({ nullFieldsRate: 1 });
  const { status, body } = await provider.post('a');
  const nothing = { reference: null, carrier: null, createdAt: null };
  assert.deepEqual([status, body], [201, { ...nothing, trackingNumber: 'MP000000000001' }]);
  assert.deepEqual((await provider.lookUp('a')).body, body);
  await provider.simulate({ nullFieldsRate: 0, foreignReferenceRate: 1 });
  const foreign = (await provider.lookUp('a')).body;
  assert.ok(foreign.reference !== 'a' && foreign.trackingNumber !== body.trackingNumber);
  await provider.simulate({ foreignReferenceRate: 0, notFoundPageRate: 1 });
  const page = await fetch(`${provider.url}/api/shipments/a`);
  assert.deepEqual([page.status, page.headers.get('content-type')], [404, 'text/html']);
  assert.match(await page.text(), /default backend - 404/);
  assert.equal((await provider.post('b')).body.reference, 'b');
});

test('A provider that refuses what is booked says so with 422, and books it once', async (t) => {
  const provider = await startProvider(t, { SIMULATION_DEDUPE: 'false' });
  await provider.simulate({ refusesBooked: true });
  const statuses = [];
  for (let post = 0; post < 2; post++) statuses.push((await provider.post('a')).status);
  assert.deepEqual(statuses, [201, 422]);
  assert.equal((await provider.ledger())[0]?.bookings, 1);
});
