import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startSystem } from '@orders/lab/kit/started-system';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const readme = await readFile(join(root, 'README.md'), 'utf8');
const [start = '', ...commands] = blocksIn(readme);
const system = await startSystem();

function blocksIn(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
}

/** Runs a block of the README against the started system; rejects where a command fails. */
async function shell(block: string): Promise<string> {
  const [order, fulfillment, provider] = system.ports;
  const here = block
    .replaceAll(':5000', `:${order}`)
    .replaceAll(':5001', `:${fulfillment}`)
    .replaceAll(':5002', `:${provider}`)
    .replace(/^npm run replay .*$/m, `$& --url ${system.url}`);
  const { PATH = '', HOME = '' } = process.env;
  const { stdout } = await run('bash', ['-ec', here], {
    cwd: root,
    env: { PATH, HOME, DATA_DIR: system.dataDir, SHIPPING_PROVIDER_PORT: String(provider) },
    timeout: 60_000,
  });
  return stdout;
}

test('The commands of the README do on a started system what it says', async () => {
  assert.equal(start, 'npm ci && npm start\n');
  const [place = '', wait = '', prove = '', ...others] = commands;
  assert.deepEqual(others, [], 'a new block needs a place in this test');

  const { orderId, status } = JSON.parse(await shell(place));
  assert.equal(status, 'Created');
  const order = JSON.parse(await shell(wait.replace('ORDER_ID', orderId)));
  assert.partialDeepStrictEqual(order, {
    orderId,
    status: 'Shipped',
    total: '39.98',
    fulfillment: { status: 'Shipped', carrier: 'Mock Parcel', attempts: 1 },
  });

  const proof = await shell(prove);
  assert.match(proof, /\b33\b/, 'accepted');
  assert.match(proof, /\b15\b/, 'refused');
});

test('What the README counts is as many as it says', async () => {
  const read = (path: string) => readFile(join(root, path), 'utf8');
  const chaos = [
    ...(await read('docs/benchmarks/chaos.md')).matchAll(
      /^(\d+) faults in \d+ rounds, ([\d,]+) orders: 0 lost, 0 doubled, 0 stuck/gm,
    ),
  ];
  const sum = (group: number) =>
    chaos.reduce((all, match) => all + Number(match[group]?.replace(',', '')), 0);
  const [faults, orders] = [sum(1), sum(2)].map((n) => n.toLocaleString('en'));
  assert.ok(readme.includes(`**${faults} faults, ${orders} orders: 0 lost, 0 doubled, 0 stuck.**`));

  const { stdout } = await run('git', ['ls-files', 'docs/decisions'], { cwd: root });
  const decisions = stdout.trim().split('\n').length;
  assert.ok(readme.includes(`${decisions} [decisions](docs/decisions)`), `${decisions} decisions`);
  const invariants = (await read('ARCHITECTURE.md')).match(/^- \*\*I\d+: /gm)?.length;
  assert.ok(readme.includes(`${invariants} invariants`), `${invariants} invariants`);
  assert.equal(readme.match(/^.{25}[1-9] {2}[a-z]+ +\S+\//gm)?.length, 9, 'stations');
  const samples = (await read('samples/online-retail.ndjson')).trimEnd().split('\n').length;
  assert.ok(readme.includes(`${samples} recorded orders`));
});
