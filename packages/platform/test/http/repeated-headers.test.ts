import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import Type from 'typebox';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { createLog } from '../../src/process/log.ts';

test('a declared header that is sent twice is 400, and another one may repeat', async (t) => {
  const app = createHttpServer({ log: createLog({ level: 'silent', isTerminal: false }) });
  const headers = Type.Object({
    'idempotency-key': Type.Optional(Type.String()),
    'x-correlation-id': Type.Optional(Type.String()),
  });
  app.post('/things', { schema: { headers } }, async () => ({}));
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());

  const ask = (sent: Record<string, string[]>) =>
    new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const asked = request(`${app.listeningOrigin}/things`, { method: 'POST', agent: false });
      for (const [name, values] of Object.entries(sent)) asked.setHeader(name, values);
      asked.once('error', reject).once('response', (answer) => {
        text(answer).then((body) => resolve({ status: answer.statusCode, body }), reject);
      });
      asked.end();
    });

  assert.equal((await ask({ 'Idempotency-Key': ['a'], 'X-Other': ['1', '2'] })).status, 200);
  assert.equal((await ask({ 'X-Correlation-Id': ['a', 'b'] })).status, 200);
  for (const values of [
    ['a', 'b'],
    ['a', 'a'],
  ]) {
    const { status, body } = await ask({ 'Idempotency-Key': values });
    assert.equal(status, 400);
    assert.partialDeepStrictEqual(JSON.parse(body), {
      code: 'validation_failed',
      errors: [{ parameter: 'idempotency-key', detail: 'must be sent only once' }],
    });
  }
});
