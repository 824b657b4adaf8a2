import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type ReplayOptions, replay } from '../../src/load/run.ts';
import { type Fake, startFakeOrderService } from './fake-order-service.ts';

const root = join(import.meta.dirname, '../../..');
const samples = join(root, 'samples/online-retail.ndjson');

test('posts the samples, groups refusals by their reason and follows the accepted orders to their end', async (t) => {
  const fake = await startFakeOrderService(t);
  const { isComplete, output } = await run(fake, { file: samples });
  assert.equal(isComplete, true);
  assert.equal(fake.orders.length, 33);
  assert.match(output, /^posted +48 /m);
  assert.match(output, /^ {2}shipped +33$/m);
  assert.match(output, /^refused +15$/m);
  assert.match(output, /^ {2}\/items\/\*\/quantity must be >= 1 +5 {2}e\.g\. C536391$/m);
  assert.match(output, /^accepted after, ms .*p99/m);
});

test('posts what was recorded and repairs nothing', async (t) => {
  const fake = await startFakeOrderService(t);
  const items = [{ productId: 'BANK CHARGES', description: 'x', quantity: -1, unitPrice: 0.001 }];
  const file = await fileOf(t, [
    JSON.stringify({ invoiceNo: 'C1', customerId: null, country: 'EIRE', items }),
  ]);
  await run(fake, { file });
  assert.deepEqual(fake.bodies, [
    {
      customerName: 'Customer unknown',
      currency: 'GBP',
      items: [{ productId: 'BANK CHARGES', quantity: -1, unitPrice: 0.001 }],
    },
  ]);
});

test('reads gzip, stops at the limit, and skips empty lines', async (t) => {
  const fake = await startFakeOrderService(t);
  const file = join(await folderOf(t), 'orders.ndjson.gz');
  await writeFile(file, gzipSync(`${orderLine('1')}\n\n${orderLine('2')}\n${orderLine('3')}`));
  assert.equal((await run(fake, { file, limit: 2 })).isComplete, true);
  assert.equal(fake.orders.length, 2);
});

test('asks again after a 503 and after a lost answer, and creates no order twice', async (t) => {
  const fake = await startFakeOrderService(t);
  fake.troubles = [
    { creates: true, with: 'cut' },
    { creates: true, with: 503 },
    { creates: false, with: 503 },
  ];
  const { isComplete, output } = await run(fake, {
    file: await fileOf(t, ['1', '2', '3', '4'].map(orderLine)),
  });
  assert.equal(isComplete, true);
  assert.equal(fake.orders.length, 4);
  assert.match(output, /^answers other than 201 and 400 +3$/m);
  assert.match(output, /^ {2}503 store_unavailable +2$/m);
  assert.match(output, /^ {2}no answer \(UND_ERR_SOCKET\) +1$/m);
});

test('fails when an accepted order is lost or still open when the time is up', async (t) => {
  const fake = await startFakeOrderService(t);
  fake.statusOf = ({ body }) =>
    body.customerId === '1' ? undefined : body.customerId === '2' ? 'Retrying' : 'Failed';
  const file = await fileOf(t, ['1', '2', '3'].map(orderLine));
  const { isComplete, output } = await run(fake, { file, waitSeconds: 0.1 });
  assert.equal(isComplete, false);
  assert.match(output, /^ {2}still open +1 {2}e\.g\. 2$/m);
  assert.match(output, /^ {2}lost: accepted, not found +1 {2}e\.g\. 1$/m);
  assert.match(output, /^ {2}failed +1$/m);
});

test('fails when an order gets no verdict, and says which answer it got', async (t) => {
  const fake = await startFakeOrderService(t);
  fake.troubles = [{ creates: false, with: 404 }];
  const { isComplete, output } = await run(fake, { file: await fileOf(t, [orderLine('1')]) });
  assert.equal(isComplete, false);
  assert.match(output, /^without a verdict +1$/m);
  assert.match(output, /^ {2}404 store_unavailable +1 {2}e\.g\. 1$/m);
});

test('follows many orders by pages, and looks no further back than the oldest open one', async (t) => {
  const fake = await startFakeOrderService(t);
  const file = await fileOf(
    t,
    Array.from({ length: 900 }, (_, index) => orderLine(String(index))),
  );
  let asked = 0;
  fake.statusOf = ({ body }) => {
    if (body.customerId === '899') asked += 1;
    return body.customerId !== '899' || asked > 2 ? 'Shipped' : 'Processing';
  };
  assert.equal((await run(fake, { file })).isComplete, true);
  assert.equal(fake.pagesServed, 5 + 1 + 1);
});

test('keeps to a rate', async (t) => {
  const fake = await startFakeOrderService(t);
  const file = await fileOf(
    t,
    Array.from({ length: 26 }, (_, index) => orderLine(String(index))),
  );
  const start = performance.now();
  await run(fake, { file, rate: 100 });
  assert.ok(performance.now() - start >= 249);
});

test('a line that is no order ends the run with its number, after the report on what was posted', async (t) => {
  const fake = await startFakeOrderService(t);
  const written: string[] = [];
  const file = await fileOf(t, [orderLine('1'), '{"invoiceNo":']);
  await assert.rejects(run(fake, { file }, written), /Line 2 of .* is not JSON/);
  assert.match(written.join(''), /^ {2}shipped +1$/m);
});

test('a file that is not there and an address where nobody answers end with exit code 1 and say what to do', async () => {
  const missing = await command(['no-such-file.ndjson']);
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /^Cannot read no-such-file\.ndjson: .*\nTry: npm run replay/);
  const nobody = await command([samples, '--url', 'http://127.0.0.1:9']);
  assert.equal(nobody.exitCode, 1);
  assert.match(nobody.stderr, /^Nobody answers at .*\nStart the system .*npm start/);
});

test('a wrong option ends with exit code 2 and one sentence', async () => {
  for (const [args, sentence] of [
    [[samples, '--rate', 'x'], /^--rate x is not a number above 0\./],
    [[samples, '--tempo'], /^Unknown option '--tempo'\./],
    [[], /^Name one FILE of orders/],
  ] as const) {
    const { exitCode, stderr } = await command([...args]);
    assert.equal(exitCode, 2);
    assert.match(stderr, sentence);
  }
});

test('without --url the orders go to the port of ORDER_SERVICE_PORT', async (t) => {
  const fake = await startFakeOrderService(t);
  const env = { ORDER_SERVICE_PORT: new URL(fake.url).port };
  assert.deepEqual(await command([samples, '--limit', '1'], env), { exitCode: 0, stderr: '' });
  assert.equal(fake.orders.length, 1);
});

test('the samples are 48 orders of at most 54 lines', async () => {
  const orders = (await readFile(samples, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(orders.length, 48);
  assert.equal(Math.max(...orders.map(({ items }) => items.length)), 54);
});

function orderLine(invoiceNo: string): string {
  const items = [{ productId: '85123A', quantity: 1, unitPrice: 2.55 }];
  return JSON.stringify({ invoiceNo, customerId: invoiceNo, items });
}

async function run(
  fake: Fake,
  options: Partial<ReplayOptions> & { file: string },
  written: string[] = [],
) {
  const out = { write: (text: string) => written.push(text) };
  const defaults = {
    rate: undefined,
    concurrency: 4,
    limit: Number.POSITIVE_INFINITY,
    waitSeconds: 10,
  };
  const signal = new AbortController().signal;
  const isComplete = await replay({ ...defaults, url: fake.url, out, signal, ...options });
  return { isComplete, output: written.join('') };
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'replay-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function fileOf(t: TestContext, lines: string[]): Promise<string> {
  const file = join(await folderOf(t), 'orders.ndjson');
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

function command(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ exitCode: unknown; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['lab/src/load/main.ts', ...args],
      { cwd: root, timeout: 30_000, env: { ...process.env, ...env } },
      (error, _stdout, stderr) => resolve({ exitCode: error === null ? 0 : error.code, stderr }),
    );
  });
}
