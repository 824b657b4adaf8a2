import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestKafka } from '@orders/platform/test/kit/test-kafka';
import { startKafkaOnZooKeeper } from '../../src/kafka/zookeeper-server.ts';
import { holdsWithin } from '../../src/processes/bounded-wait.ts';

const kafka = await startTestKafka(startKafkaOnZooKeeper);
const options = {
  timeout: 300_000,
  ...(kafka === undefined && { skip: 'there is no Kafka broker' }),
};
const order = {
  customerId: 'customer-123',
  customerName: 'John Doe',
  items: [{ productId: 'product-456', quantity: 2 }],
};

test(
  'an order goes through the services to Shipped on Kafka with ZooKeeper',
  options,
  async (t) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'orders-zookeeper-'));
    t.after(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
    const anyPort = {
      ORDER_SERVICE_PORT: '0',
      FULFILLMENT_SERVICE_PORT: '0',
      SHIPPING_PROVIDER_PORT: '0',
    };
    const env = {
      ...process.env,
      ...anyPort,
      DATA_DIR: dataDir,
      KAFKA_BOOTSTRAP_SERVERS: kafka?.bootstrapServers,
    };
    const start = join(import.meta.dirname, '../../src/start-on-kafka.ts');
    // Outside the repository, so that no `.env` is read.
    const system = spawn(process.execPath, [start], {
      env,
      cwd: dataDir,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(system, 'exit');
    t.after(async () => {
      system.kill('SIGTERM');
      await ended;
    });
    let said = '';
    system.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const urlOf = (): string | undefined =>
      /"service":"start-kafka".*"url":"([^"]+)".*"ready"/.exec(said)?.[1];
    assert.ok(
      await holdsWithin(120_000, () => urlOf() !== undefined || system.exitCode !== null),
      said,
    );
    const url = urlOf();
    assert.ok(url, said);

    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/api/orders`, {
      method: 'POST',
      headers,
      body: JSON.stringify(order),
    });
    assert.equal(answer.status, 201);
    const { orderId } = (await answer.json()) as { orderId: string };
    const isShipped = async (): Promise<boolean> => {
      const found = await fetch(`${url}/api/orders/${orderId}`);
      return ((await found.json()) as { status: string }).status === 'Shipped';
    };
    assert.ok(
      await holdsWithin(60_000, isShipped),
      `the order is not shipped; the system said:\n${said}`,
    );
  },
);
