import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePorts } from '@orders/lab/kit/free-ports';
import { localhostTls } from '@orders/lab/kit/localhost-certificate';
import { type Nginx, startNginx } from '@orders/lab/kit/nginx';
import { anOrder, place, readOrder, untilOrder } from '@orders/lab/kit/orders';
import { readLedger, simulate, startShippingProvider } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

/** A provider behind nginx, and a system that calls it there over TLS. */
async function systemBehindNginx(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'orders-nginx-front-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const provider = await startShippingProvider({ port, directory });
  t.after(() => provider.kill());
  const nginx = await startNginx(t, provider.url);
  if (nginx === undefined) return undefined;
  const { url } = await startSystem({
    t,
    env: {
      SHIPPING_BASE_URL: nginx.url,
      NODE_EXTRA_CA_CERTS: localhostTls.TLS_CERT_FILE,
      SHIPPING_TIMEOUT_SECONDS: '2',
      SHIPPING_BACKOFF_MS: '100',
      SHIPPING_BACKOFF_MAX_MS: '500',
    },
  });
  return { url, provider, nginx };
}

const placeMany = (url: string, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => place(url, anOrder())));

async function reloadOften(nginx: Nginx, isOver: () => boolean): Promise<number> {
  let reloads = 0;
  for (; reloads < 100 && !isOver(); reloads += 1) await nginx.reload();
  return reloads;
}

async function assertBookedOnce(providerUrl: string, ids: string[]): Promise<void> {
  const ledger = await readLedger(providerUrl);
  assert.deepEqual([...ledger.keys()].sort(), ids.toSorted());
  assert.ok([...ledger.values()].every(({ bookings }) => bookings === 1));
}

test('Behind an nginx that offers HTTP/2 over TLS and is reloaded all the time every order ships once', async (t) => {
  const system = await systemBehindNginx(t);
  if (system === undefined) return;
  const { url, provider, nginx } = system;
  await simulate(provider.url, { latencyMs: 50, dedupe: false });
  const ids = await placeMany(url, 300);
  let isOver = false;
  const reloading = reloadOften(nginx, () => isOver);
  for (const orderId of ids) await untilOrder(url, orderId, 'Shipped', 60);
  isOver = true;
  const reloads = await reloading;
  t.diagnostic(`${reloads} reloads`);
  assert.ok(reloads > 3, `${reloads} reloads`);
  await assertBookedOnce(provider.url, ids);
});

test('While nginx answers in the provider’s place with a page and 404 nothing fails and nothing is sent twice', async (t) => {
  const system = await systemBehindNginx(t);
  if (system === undefined) return;
  const { url, provider, nginx } = system;
  // Booked, but the answer comes too late; the look-up then meets the page.
  await simulate(provider.url, { latencyMs: 3_000, dedupe: false });
  const ids = await placeMany(url, 10);
  await until('the bookings', 10, async () => (await readLedger(provider.url)).size === 10);
  await nginx.passTo('');
  for (const orderId of ids) {
    await until('the page', 30, async () => {
      const { status, fulfillment } = await readOrder(url, orderId);
      return status === 'Retrying' && /404/.test(String(fulfillment?.errorMessage));
    });
  }
  await simulate(provider.url, { latencyMs: 0 });
  await nginx.passTo(provider.url);
  for (const orderId of ids) await untilOrder(url, orderId, 'Shipped', 60);
  await assertBookedOnce(provider.url, ids);
});
