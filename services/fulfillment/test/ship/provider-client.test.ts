import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createShippingClient } from '../../src/ship/provider-client.ts';
import { type Answer, scriptedProvider, shipment } from '../scripted-provider.ts';

const call = {
  orderId: 'order-1',
  payload: '{"reference":"order-1"}',
  correlationId: 'c-1',
  traceparent: null,
};

const posts: [string, Answer, object][] = [
  [
    '201 with a tracking number',
    shipment('T1'),
    { kind: 'shipped', trackingNumber: 'T1', carrier: 'Carrier' },
  ],
  [
    '200 with only a tracking number',
    { status: 200, body: { trackingNumber: 'T2' } },
    { kind: 'shipped', carrier: null },
  ],
  [
    'a time with another offset',
    shipment('T', { createdAt: '2026-01-20T23:09:00+02:00' }),
    { kind: 'shipped', shippedAt: '2026-01-20T21:09:00.000Z' },
  ],
  ['201 without a tracking number', { status: 201, body: { carrier: 'c' } }, { kind: 'unknown' }],
  ['201 with an empty tracking number', shipment(''), { kind: 'unknown' }],
  ['201 with a tracking number that cannot be stored', shipment('a\u0000b'), { kind: 'unknown' }],
  ['201 that is no JSON', { status: 201, body: 'thanks' }, { kind: 'unknown' }],
  [
    '201 with more than can be read',
    { status: 201, body: 'x'.repeat(300_000) },
    { kind: 'unknown' },
  ],
  ['202', { status: 202, body: {} }, { kind: 'unknown' }],
  ['408', { status: 408 }, { kind: 'unknown' }],
  ['409', { status: 409 }, { kind: 'unknown' }],
  ['500', { status: 500 }, { kind: 'unknown' }],
  ['502', { status: 502, body: '<html>' }, { kind: 'unknown' }],
  ['a dropped connection', 'drop', { kind: 'unknown' }],
  ['no answer in time', 'hang', { kind: 'unknown', error: 'no answer within 300 ms' }],
  [
    '400',
    { status: 400, body: { detail: 'bad address' } },
    { kind: 'refused', error: 'bad address' },
  ],
  [
    '422 with NUL in its words',
    { status: 422, body: { message: 'a\u0000b' } },
    { kind: 'refused', error: 'ab' },
  ],
  ['401', { status: 401 }, { kind: 'misconfigured' }],
  ['403', { status: 403 }, { kind: 'misconfigured' }],
  ['404', { status: 404 }, { kind: 'misconfigured' }],
  ['405', { status: 405 }, { kind: 'misconfigured' }],
  ['407', { status: 407 }, { kind: 'misconfigured' }],
  ['425', { status: 425 }, { kind: 'not_booked', retryAfterMs: 0 }],
  [
    '429 with Retry-After',
    { status: 429, headers: { 'retry-after': '7' } },
    { kind: 'not_booked', retryAfterMs: 7_000 },
  ],
  [
    '503 with a strange Retry-After',
    { status: 503, headers: { 'retry-after': 'soon' } },
    { kind: 'not_booked', retryAfterMs: 0 },
  ],
  [
    '503 with a Retry-After in the past',
    { status: 503, headers: { 'retry-after': 'Sat, 01 Jan 2000 00:00:00 GMT' } },
    { kind: 'not_booked', retryAfterMs: 0 },
  ],
];

for (const [name, answer, expected] of posts) {
  test(`a POST answered by ${name} is read by the table in docs/contract.md`, async (t) => {
    const provider = await scriptedProvider(t);
    provider.post = async () => answer;
    const client = createShippingClient({
      baseUrl: `${provider.url}/`,
      timeoutMs: 300,
      connections: 2,
    });
    t.after(() => client.close());
    assert.partialDeepStrictEqual(await client.ship(call), expected);
    assert.deepEqual([provider.asked[0]?.key, provider.asked[0]?.body], ['order-1', call.payload]);
  });
}

const lookUps: [string, Answer, object][] = [
  [
    '200 with a shipment',
    { ...(shipment('T1') as object), status: 200 } as Answer,
    { kind: 'shipped', trackingNumber: 'T1' },
  ],
  ['404', { status: 404 }, { kind: 'not_found' }],
  ['200 that cannot be read', { status: 200, body: 'x' }, { kind: 'no_answer' }],
  ['410', { status: 410 }, { kind: 'no_answer' }],
  ['500', { status: 500 }, { kind: 'no_answer' }],
  ['a dropped connection', 'drop', { kind: 'no_answer' }],
  ['no answer in time', 'hang', { kind: 'no_answer' }],
];

for (const [name, answer, expected] of lookUps) {
  test(`a look-up answered by ${name} is ${Object.values(expected)[0]}`, async (t) => {
    const provider = await scriptedProvider(t);
    provider.lookUp = async () => answer;
    const client = createShippingClient({ baseUrl: provider.url, timeoutMs: 300, connections: 2 });
    t.after(() => client.close());
    assert.partialDeepStrictEqual(await client.lookUp(call), expected);
  });
}

test('a time of booking that the database cannot keep becomes now: the shipment counts', async (t) => {
  const provider = await scriptedProvider(t);
  const client = createShippingClient({ baseUrl: provider.url, timeoutMs: 1_000, connections: 2 });
  t.after(() => client.close());
  for (const createdAt of ['0000-01-01T00:00:00Z', '2016-12-31T23:59:60Z']) {
    provider.post = async () => shipment('T1', { createdAt });
    const outcome = await client.ship(call);
    assert.ok(
      outcome.kind === 'shipped' && Math.abs(Date.now() - Date.parse(outcome.shippedAt)) < 5_000,
    );
  }
});

test('what could not be sent is not_sent: a refused connection, an unknown host', async () => {
  for (const baseUrl of [
    'http://127.0.0.1:1',
    'http://localhost:1',
    'http://no-such-host.invalid',
  ]) {
    const client = createShippingClient({ baseUrl, timeoutMs: 5_000, connections: 2 });
    assert.equal((await client.ship(call)).kind, 'not_sent', baseUrl);
    assert.equal((await client.lookUp(call)).kind, 'no_answer', baseUrl);
    await client.close();
  }
});
