import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '@orders/platform/test/kit/until';
import { spawnProvider, temporaryFolder } from './running-provider.ts';

test('kill -9 under load forgets no booking that was answered, looked up or listed', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const answered = new Map<string, unknown>();
  for (let round = 0; round < 3; round++) {
    const provider = await spawnProvider(t, { DATA_DIR });
    let isDead = false;
    const posting = Array.from({ length: 16 }, async () => {
      while (!isDead) {
        const reference = crypto.randomUUID();
        const answer = await provider.post(reference).catch(() => undefined);
        if (answer?.status === 201) answered.set(reference, answer.body);
      }
    });
    const goal = answered.size + 300;
    await until('the load is answered', () => answered.size >= goal);
    await provider.kill('SIGKILL');
    isDead = true;
    await Promise.all(posting);
  }
  const provider = await spawnProvider(t, { DATA_DIR });
  const entries = new Map((await provider.ledger()).map((entry) => [entry.reference, entry]));
  for (const [reference, body] of answered) {
    const entry = entries.get(reference);
    assert.deepEqual([entry?.bookings, entry?.posts], [1, 1]);
    assert.equal(entry?.trackingNumber, (body as { trackingNumber: string }).trackingNumber);
  }
  for (const [reference, body] of [...answered].slice(0, 20)) {
    assert.deepEqual((await provider.lookUp(reference)).body, body);
    assert.deepEqual((await provider.post(reference)).body, body);
  }
});

test('a full disk: no booking is answered that a restart forgets, then 503 until that restart', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const limited = await spawnProvider(t, { DATA_DIR }, 'ulimit -f 256;');
  const answered: string[] = [];
  let lost: string | undefined;
  while (lost === undefined && answered.length < 1_000) {
    const reference = crypto.randomUUID();
    const answer = await limited.post(reference).catch(() => undefined);
    if (answer === undefined) lost = reference;
    else answered.push(reference);
  }
  assert.ok(lost !== undefined && answered.length > 10, `${answered.length} answered`);
  assert.equal((await limited.post('next')).status, 503);
  assert.equal((await limited.lookUp(lost)).status, 503);
  assert.equal((await limited.request('/health/ready')).status, 503);
  await limited.kill('SIGTERM');
  const after = await spawnProvider(t, { DATA_DIR });
  const kept = (await after.ledger()).map(({ reference }) => reference);
  assert.deepEqual(kept, answered.toSorted());
});

test('SIGTERM ends it with 0 and keeps the ledger', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const before = await spawnProvider(t, { DATA_DIR });
  const { body } = await before.post('a');
  assert.equal(await before.kill('SIGTERM'), 0);
  const after = await spawnProvider(t, { DATA_DIR });
  assert.deepEqual((await after.lookUp('a')).body, body);
});

test('it says in its log line where it listens and whether it keeps its ledger', async (t) => {
  const forgetful = await spawnProvider(t, {});
  assert.deepEqual(forgetful.lines[0]?.ledgerFile, null);
  assert.match(forgetful.lines[0]?.msg ?? '', /bookings end with this process/);
  const keeping = await spawnProvider(t, { DATA_DIR: await temporaryFolder(t) });
  assert.match(keeping.lines[0]?.msg ?? '', /bookings are kept/);
});

test('at debug level bookings are logged together, other fates one by one with their correlation', async (t) => {
  const provider = await spawnProvider(t, { LOG_LEVEL: 'debug' });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const headers = { 'x-correlation-id': 'c-1', traceparent };
  await Promise.all(
    Array.from({ length: 20 }, () => provider.post(crypto.randomUUID(), { headers })),
  );
  await provider.post('r', { productId: 'TEST-REFUSE', headers });
  await until('it logs three lines', () => provider.lines.length >= 3);
  const [, refused, booked] = provider.lines;
  assert.deepEqual([refused?.reference, refused?.fate], ['r', 'refuse']);
  assert.deepEqual([refused?.correlationId, refused?.traceparent], ['c-1', traceparent]);
  assert.deepEqual([booked?.msg, booked?.count], ['shipments booked', 20]);
});
