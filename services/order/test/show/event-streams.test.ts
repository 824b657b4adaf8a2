import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createHttpServer } from '@orders/platform/http/server';
import { createLog } from '@orders/platform/process/log';
import { until, within } from '@orders/platform/test/kit/until';
import { createEventStreams } from '../../src/show/event-streams.ts';

const silent = createLog({ level: 'silent', isTerminal: false });
const event = { id: '1', event: 'news', data: { text: 'a\nb' } };

test('an event is one block of lines, and between events a comment keeps the connection', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stream = createEventStreams().open(() => undefined);
  t.after(() => stream.body.destroy());
  stream.body.setEncoding('utf8');
  stream.send(event);
  t.mock.timers.tick(15_000);
  const expected = 'retry: 2000\n\nid: 1\nevent: news\ndata: {"text":"a\\nb"}\n\n:\n\n';
  assert.equal(stream.body.read(), expected);
});

test('a stream ends at the next beat when its reader is not allowed any more', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let isAllowed = true;
  const stream = createEventStreams().open(
    () => undefined,
    () => isAllowed,
  );
  t.after(() => stream.body.destroy());
  stream.body.setEncoding('utf8');
  t.mock.timers.tick(15_000);
  isAllowed = false;
  t.mock.timers.tick(15_000);
  stream.send(event);
  assert.equal(stream.body.read(), 'retry: 2000\n\n:\n\n');
  assert.equal(stream.body.readable && stream.body.read(), null);
});

test('there is a bound of streams, and one that ends makes room', async (t) => {
  const streams = createEventStreams();
  let closed = 0;
  const open = () =>
    streams.open(() => {
      closed += 1;
    });
  const all = Array.from({ length: 200 }, open);
  t.after(() => all.forEach(({ body }) => void body.destroy()));
  assert.throws(open, { code: 'overloaded', status: 503 });
  all[0]?.body.destroy();
  await until('it is told', () => closed === 1);
  all.push(open());
});

/** A server whose one route answers with a stream. */
async function served(t: TestContext) {
  const app = createHttpServer({ log: silent });
  const streams = createEventStreams();
  const state = { closed: 0, opened: [] as ReturnType<typeof streams.open>[] };
  app.get('/events', async (_request, reply) => {
    const stream = streams.open(() => {
      state.closed += 1;
    });
    state.opened.push(stream);
    return reply.type('text/event-stream').send(stream.body);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => app.close());
  return { ...state, state, url: `${app.listeningOrigin}/events` };
}

test('a reader that goes away, or is too slow, is let go of', async (t) => {
  const { url, opened, state } = await served(t);
  const leaving = new AbortController();
  await fetch(url, { signal: leaving.signal });
  leaving.abort();
  await until('the first is closed', () => state.closed === 1);
  const slow = await fetch(url);
  const big = { ...event, data: { text: 'x'.repeat(100_000) } };
  let sent = 0;
  await until('the second is closed', () => {
    if (opened[1]?.body.destroyed === false) opened[1].send(big);
    sent += 1;
    return state.closed === 2;
  });
  assert.ok(sent < 200, `${sent} events of 100 KB were taken`);
  await within('its end', assert.rejects(slow.text()), 5_000);
});

test('readers that are far behind together are cut off before they take all memory', (t) => {
  const streams = createEventStreams();
  const all = Array.from({ length: 60 }, () => streams.open(() => undefined));
  t.after(() => all.forEach(({ body }) => void body.destroy()));
  const half = { ...event, data: { text: 'x'.repeat(500_000) } };
  for (const stream of all) stream.send(half);
  const held = all.reduce((sum, { body }) => sum + (body.destroyed ? 0 : body.readableLength), 0);
  assert.ok(held > 15_000_000 && held < 17_000_000, `${held} bytes are held`);
  const fresh = streams.open(() => undefined);
  t.after(() => fresh.body.destroy());
  fresh.send(event);
  assert.equal(fresh.body.destroyed, false);
});

test('a stream that ends hands over what it was sent', async (t) => {
  const { url, opened } = await served(t);
  const answer = await fetch(url);
  opened[0]?.send(event);
  opened[0]?.end();
  opened[0]?.end();
  opened[0]?.send(event);
  const text = await within('its end', answer.text(), 5_000);
  assert.equal(text.match(/^data: /gm)?.length, 1);
});
