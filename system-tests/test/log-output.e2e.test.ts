import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { isFree } from '@orders/embedded/processes/server-port';
import { freePorts } from '@orders/lab/kit/free-ports';
import { call } from '@orders/lab/kit/http';
import { startLocalKafka } from '@orders/lab/kit/local-kafka';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { until } from '@orders/lab/kit/until';
import { launch } from './launched.ts';

const repository = join(import.meta.dirname, '../..');

/** The last is what Node runs, as npm itself may write before its reader is gone. */
const outputs = [
  { what: 'a full disk', command: 'npm start > /dev/full; exec sleep 600' },
  { what: 'a reader that stands still', command: 'npm start | sleep 600' },
  { what: 'a reader that is gone', command: 'node embedded/src/main.ts | true; exec sleep 600' },
];

for (const { what, command } of outputs) {
  test(`With ${what} at its standard output, log lines are lost and orders are not`, async (t) => {
    const env = { LOG_LEVEL: 'debug' };
    const system = await launch(t, repository, ['/bin/sh', '-c', command], env);
    await system.untilReady();
    const orderId = await placeUntilLinesAreDropped(system.url);
    await untilOrder(system.url, orderId, 'Shipped');
    assert.equal((await call('GET', `${system.url}/health/live`)).status, 200);
    sendSignal(-(system.child.pid ?? 0), 'SIGTERM');
    await until('the port to be free', 12, () => isFree(system.port));
  });
}

test('On Kafka too: what the launcher passes on may find no reader', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'orders-log-'));
  const [port = 0] = await freePorts(1);
  const kafka = await startLocalKafka({ port, directory });
  if (kafka === undefined) return t.skip('there is no Kafka broker');
  t.after(async () => {
    await kafka.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const env = { LOG_LEVEL: 'debug', KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers };
  const command = ['/bin/sh', '-c', 'npm run start:kafka | sleep 600'];
  const system = await launch(t, repository, command, env);
  await system.untilReady();
  await placeUntilLinesAreDropped(system.url);
  assert.equal((await call('GET', `${system.url}/health/live`)).status, 200);
  sendSignal(-(system.child.pid ?? 0), 'SIGTERM');
  await until('the port to be free', 20, () => isFree(system.port));
});

/** Pipe and process hold some; then it goes on. The id of the last order. */
async function placeUntilLinesAreDropped(url: string): Promise<string> {
  return await until('lines to be dropped', 60, async () => {
    let orderId = '';
    for (let count = 0; count < 250; count += 1) orderId = await place(url, anOrder());
    return (await droppedLines(url)) > 0 ? orderId : undefined;
  });
}

async function droppedLines(url: string): Promise<number> {
  const { text } = await call('GET', `${url}/metrics`);
  return Number(/^log_lines_dropped_total\{.*\} (\d+)$/m.exec(text)?.[1]);
}
