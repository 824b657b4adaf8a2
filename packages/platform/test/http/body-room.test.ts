import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { createLog } from '../../src/process/log.ts';
import { until, within } from '../kit/until.ts';

const log = createLog({ level: 'silent', isTerminal: false });
const large = JSON.stringify({ text: 'x'.repeat(1_000_000) });

/** A server whose answers wait until `answer` is called. */
async function server(t: TestContext) {
  const app = createHttpServer({ log });
  const gate = Promise.withResolvers<void>();
  let inHand = 0;
  app.post('/things', async ({ body }) => {
    inHand += 1;
    await gate.promise;
    return { length: JSON.stringify(body).length };
  });
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());
  t.after(() => gate.resolve());
  const url = app.listeningOrigin;
  return { url, inHand: () => inHand, answer: gate.resolve };
}

const post = (url: string, body: string) =>
  fetch(`${url}/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(20_000),
  });

test('of 400 bodies of a megabyte at once a few are read, the others get 503 with Retry-After', async (t) => {
  const { url, inHand, answer } = await server(t);
  const refused: number[] = [];
  const answers = Array.from({ length: 400 }, async () => {
    const response = await post(url, large);
    if (response.status === 503) refused.push(Number(response.headers.get('retry-after')));
    return { status: response.status, body: (await response.json()) as { code?: string } };
  });
  await until('those beyond to be refused', () => refused.length >= 400 - 8);
  assert.ok(inHand() >= 5 && inHand() <= 8, `${inHand()} are in hand`);
  assert.ok(refused.every((seconds) => seconds >= 1));
  // A small one goes its way beside them.
  const small = post(url, '{"text":"y"}');
  await until('the small one to be taken', () => inHand() > 7);
  answer();
  assert.equal((await small).status, 200);
  const all = await within('all answers', Promise.all(answers));
  assert.ok(all.every(({ status }) => status === 200 || status === 503));
  assert.ok(
    all.filter(({ status }) => status === 503).every(({ body }) => body.code === 'overloaded'),
  );
});

test('who finds no room waits for it, and is read when another is answered', async (t) => {
  const { url, inHand, answer } = await server(t);
  const answers = Array.from({ length: 20 }, () => post(url, large));
  await until('the room to be full', () => inHand() >= 7);
  answer();
  const all = await within('all answers', Promise.all(answers));
  assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([200]));
});

test('a client that leaves gives its room back, in mid-body too', async (t) => {
  const { url, answer } = await server(t);
  answer();
  const { port } = new URL(url);
  const head = `POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${large.length}\r\n\r\n{`;
  for (let round = 0; round < 3; round += 1) {
    const clients = Array.from({ length: 20 }, () => connect(Number(port), '127.0.0.1'));
    for (const client of clients) client.write(head);
    const late = post(url, large);
    await until('all to be connected', () => clients.every(({ bytesWritten }) => bytesWritten > 0));
    for (const client of clients) client.destroy();
    assert.equal((await within('an answer', late)).status, 200);
  }
});

test('bodies of unknown length count as the longest', async (t) => {
  const { url, inHand, answer } = await server(t);
  const chunked = () =>
    fetch(`${url}/things`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob(['{"text":"z"}']).stream(),
      duplex: 'half',
      signal: AbortSignal.timeout(20_000),
    } as RequestInit);
  const answers = Array.from({ length: 30 }, chunked);
  await until('the room to be full', () => inHand() >= 7);
  assert.equal(inHand(), 7);
  answer();
  const all = await within('all answers', Promise.all(answers));
  assert.ok(all.every(({ status }) => status === 200));
});
