import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { DeadLetterDetail, DeadLetterPage } from '@orders/contracts/operate/dead-letters';
import { createHttpServer } from '@orders/platform/http/server';
import { addDeadLetterRoutes } from '@orders/platform/operate/dead-letter-routes';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createOrderEventReader } from '../../src/receive/on-order-event.ts';
import { fulfillmentTables, orderCreated, orderEvent } from '../fulfillment-instance.ts';

const postgres = await startTestPostgres();
const operator = { 'x-operator': 'ada' };

/** One instance that dispatches nothing, with the routes on it. */
async function deadLetterRoutes(t: TestContext) {
  const tables = await fulfillmentTables(t, postgres);
  const { handle } = tables.instanceOf('a', { providerUrl: 'http://127.0.0.1:9' });
  const app = createHttpServer({ log: silentLog });
  t.after(() => app.close());
  addDeadLetterRoutes(app, {
    database: tables.connect('routes'),
    station: { topic: 'order-events', read: createOrderEventReader(), handle },
  });
  const get = async <T = DeadLetterPage>(path = '') => {
    const { statusCode, body } = await app.inject({ url: `/api/dead-letters${path}` });
    return { statusCode, body: JSON.parse(body) as T };
  };
  const post = async (
    path: string,
    payload?: object,
    headers: Record<string, string> = operator,
  ) => {
    const answer = await app.inject({
      method: 'POST',
      url: `/api/dead-letters/${path}`,
      headers,
      ...(payload && { payload }),
    });
    return { statusCode: answer.statusCode, body: JSON.parse(answer.body) };
  };
  /** Lets the station bury an event; resolves to its id. */
  const bury = async (body: unknown): Promise<string> => {
    const event = orderEvent(body);
    await handle([event]);
    return `order-events:${event.partition}:${event.offset}`;
  };
  return { ...tables, handle, get, post, bury };
}

test('A dead letter is shown as it came: text where it is UTF-8, base64 where it is not', async (t) => {
  const { get, bury, handle } = await deadLetterRoutes(t);
  const id = await bury('no JSON at all');
  const { body } = await get<DeadLetterDetail>(`/${id}`);
  assert.deepEqual([body.encoding, body.value, body.sizeBytes], ['utf8', 'no JSON at all', 14]);
  assert.deepEqual([body.reason, body.resolution, body.key], ['not valid UTF-8 JSON', null, 'k']);
  const binary = { ...orderEvent('x'), value: Buffer.from([0xff, 0x00, 0x80]) };
  await handle([binary]);
  const shown = await get<DeadLetterDetail>(`/order-events:${binary.partition}:${binary.offset}`);
  assert.deepEqual([shown.body.encoding, shown.body.value], ['base64', '/wCA']);
});

test('The list gives every dead letter once, newest first, by pages, all or only the open ones', async (t) => {
  const { get, post, bury, sql, handle } = await deadLetterRoutes(t);
  const buried = [await bury('a'), await bury('b'), await bury('c')];
  // A batch has one time: the place decides.
  const together = [orderEvent('d'), orderEvent('e')];
  await handle(together);
  const newest = [
    ...buried,
    ...together.map((e) => `order-events:${e.partition}:${e.offset}`),
  ].toReversed();
  const pages = async (query: string): Promise<string[]> => {
    const ids: string[] = [];
    let token = '';
    for (let page = 0; page < 10; page += 1) {
      const { statusCode, body } = await get(`?limit=2${query}${token}`);
      assert.equal(statusCode, 200);
      ids.push(...body.items.map((item) => item.id));
      if (body.nextPageToken === null) break;
      token = `&pageToken=${body.nextPageToken}`;
    }
    return ids;
  };
  assert.deepEqual(await pages(''), newest);
  assert.equal((await post(`${buried[1]}/discard`, { reason: 'of no use' })).statusCode, 200);
  assert.deepEqual(await pages('&resolved=true'), [buried[1]]);
  assert.deepEqual(
    await pages('&resolved=false&topic=order-events'),
    newest.filter((id) => id !== buried[1]),
  );
  assert.deepEqual(await pages('&topic=fulfillment-events'), []);
  assert.equal((await get('?pageToken=x')).statusCode, 400);
  assert.equal((await sql('SELECT * FROM dead_letters')).length, 5);
});

test('A corrected value is filed from the place of the dead letter, and recorded with its operator', async (t) => {
  const { post, bury, row, sql } = await deadLetterRoutes(t);
  const orderId = randomUUIDv7();
  const id = await bury(orderCreated(orderId, { items: [] }));
  const { statusCode, body } = await post(`${id}/replay`, {
    value: orderCreated(orderId),
    reason: 'the items were lost',
  });
  assert.equal(statusCode, 200, JSON.stringify(body));
  const { at, ...resolution } = body.resolution;
  assert.ok(Date.parse(at) > 0);
  assert.deepEqual(resolution, {
    kind: 'corrected',
    operator: 'ada',
    reason: 'the items were lost',
  });
  const filed = await row(orderId);
  assert.equal(`order-events:${filed?.source_partition}:${filed?.source_offset}`, id);
  const [record] = await sql(
    'SELECT operator, action, reason, request, result FROM operator_actions',
  );
  assert.equal(record?.action, 'replay_dead_letter');
  assert.deepEqual(record?.result, { resolution: 'corrected' });
  assert.ok(JSON.stringify(record?.request).includes(orderId), 'what was corrected is on record');
  assert.equal(
    (await post(`${id}/replay`, { value: orderCreated(orderId) })).body.code,
    'dead_letter_resolved',
  );
});

test('An order that was filed before is not filed again by a replay: nothing ships twice', async (t) => {
  const { post, bury, handle, row, sql } = await deadLetterRoutes(t);
  const orderId = randomUUIDv7();
  await handle([orderEvent(orderCreated(orderId))]);
  const before = await row(orderId);
  const id = await bury(orderCreated(orderId, { items: 'none' }));
  assert.equal((await post(`${id}/replay`, { value: orderCreated(orderId) })).statusCode, 200);
  assert.deepEqual(await row(orderId), before);
  assert.equal((await sql('SELECT * FROM fulfillments')).length, 1);
});

test('What cannot be handled still is refused with the reason, and nothing is changed', async (t) => {
  const { post, bury, sql, get } = await deadLetterRoutes(t);
  const id = await bury('{');
  const tooLarge = orderCreated(randomUUIDv7(), { createdAt: '9999999-01-01T00:00:00Z' });
  for (const [body, reason] of [
    [undefined, 'not valid UTF-8 JSON'],
    [{ value: null }, 'no eventType'],
    [{ value: { eventType: 'Unheard' } }, 'no event type'],
    [{ value: { ...orderCreated('no-uuid') } }, 'orderId is no UUID'],
    [{ value: tooLarge }, 'createdAt'],
  ] as const) {
    const answer = await post(`${id}/replay`, body);
    assert.deepEqual(
      [answer.statusCode, answer.body.code],
      [422, 'dead_letter_unreadable'],
      JSON.stringify(body),
    );
    assert.ok(answer.body.detail.includes(reason), answer.body.detail);
  }
  assert.equal((await get<DeadLetterDetail>(`/${id}`)).body.resolution, null);
  assert.equal((await sql('SELECT * FROM operator_actions')).length, 0);
  assert.equal((await sql("SELECT * FROM outbox WHERE topic = 'order-events.dlq'")).length, 1);
});

test('What the database refuses is not buried a second time by its replay', async (t) => {
  const { post, bury, sql } = await deadLetterRoutes(t);
  const id = await bury(orderCreated(randomUUIDv7(), { createdAt: '0000-01-01T00:00:00Z' }));
  const [letter] = await sql('SELECT reason FROM dead_letters');
  assert.equal(letter?.reason, 'the database refuses a value of it');
  const copies = await sql('SELECT * FROM outbox');
  assert.deepEqual((await post(`${id}/replay`)).body.code, 'dead_letter_unreadable');
  assert.deepEqual(await sql('SELECT * FROM outbox'), copies);
});

test('Who is no operator, what names no letter and an unknown property are refused', async (t) => {
  const { post, get, bury } = await deadLetterRoutes(t);
  const id = await bury('{');
  assert.equal((await post(`${id}/replay`, {}, {})).statusCode, 400);
  assert.equal((await post(`${id}/replay`, { values: 1 })).statusCode, 400);
  assert.equal((await post(`${id}/discard`, {})).statusCode, 400);
  for (const unknown of [
    'order-events:5:1',
    'order-events:9999999999:1',
    'order-events:1:9999999999999999999',
  ]) {
    assert.equal((await get(`/${unknown}`)).statusCode, 404, unknown);
    assert.equal(
      (await post(`${unknown}/discard`, { reason: 'r' })).body.code,
      'dead_letter_not_found',
    );
  }
  assert.equal((await get('/order-events')).statusCode, 400);
});

test('A value corrected to the order id of another order is refused: its key says whose it is', async (t) => {
  const { post, handle, sql } = await deadLetterRoutes(t);
  const [ours, another] = [randomUUIDv7(), randomUUIDv7()];
  const event = { ...orderEvent(orderCreated(ours, { items: 'none' })), key: ours };
  await handle([event]);
  const id = `order-events:${event.partition}:${event.offset}`;
  const refused = await post(`${id}/replay`, { value: orderCreated(another) });
  assert.deepEqual([refused.statusCode, refused.body.code], [422, 'dead_letter_unreadable']);
  assert.match(refused.body.detail, /its key is/);
  assert.deepEqual(await sql('SELECT FROM fulfillments'), []);
  assert.equal((await post(`${id}/replay`, { value: orderCreated(ours) })).statusCode, 200);
});
