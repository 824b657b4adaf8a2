import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { startSystem, systemFor } from '@orders/lab/kit/started-system';
import { elapse } from '@orders/lab/kit/until';

test('It is ready within 10 s on a new directory and within 5 s on an old one', async (t) => {
  const system = await systemFor(t);
  const first = await system.start();
  await system.stop();
  const second = await system.start();
  t.diagnostic(
    `ready after ${Math.round(first)} ms on a new directory, ${Math.round(second)} ms on an old one`,
  );
  assert.ok(first < 10_000, `new directory: ${first} ms`);
  assert.ok(second < 5_000, `old directory: ${second} ms`);
});

test('A second start on the same directory is refused with a message that names it, and the first goes on', async (t) => {
  const system = await startSystem({ t });
  const other = await systemFor(t, { DATA_DIR: system.dataDir });
  other.launch();
  const { code } = await other.program.untilExit(10);
  assert.equal(code, 1, other.program.tail());
  const said = other.program.lines.join('\n');
  assert.ok(said.includes(system.dataDir) && said.includes(String(system.program.pid)), said);
  assert.match(said, /DATA_DIR/);
  assert.doesNotMatch(said, /^\s+at /m);
  await untilOrder(system.url, await place(system.url, anOrder()), 'Shipped');
});

test('Of two starts at the same moment on one directory exactly one succeeds', async (t) => {
  const one = await systemFor(t);
  const other = await systemFor(t, { DATA_DIR: one.dataDir });
  one.launch();
  other.launch();
  const outcomes = await Promise.allSettled([one.untilReady(), other.untilReady()]);
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  await Promise.all([one.kill('everything'), other.kill('everything')]);
});

test('A port in use stops the start with a message that names the port and its variable, and leaves nothing running', async (t) => {
  const system = await systemFor(t);
  for (const [index, name] of [
    'ORDER_SERVICE_PORT',
    'FULFILLMENT_SERVICE_PORT',
    'SHIPPING_PROVIDER_PORT',
  ].entries()) {
    const port = system.ports[index] ?? 0;
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(port, '127.0.0.1', resolve));
    try {
      system.launch();
      const { code } = await system.program.untilExit(20);
      assert.equal(code, 1, system.program.tail());
    } finally {
      await new Promise((resolve) => blocker.close(resolve));
    }
    const said = system.program.lines.join('\n');
    assert.ok(said.includes(String(port)) && said.includes(name), said);
    assert.doesNotMatch(said, /^\s+at /m);
    assert.deepEqual(system.processes(), []);
  }
});

test('Wrong values stop the start with every fault listed at once', async (t) => {
  const wrong = {
    ORDER_SERVICE_PORT: 'http',
    SHIPPING_CONCURRENCY: '-1',
    SHIPPING_UNKNOWN_OUTCOME: 'guess',
    LOG_LEVEL: 'loud',
  };
  const system = await systemFor(t, wrong);
  system.launch();
  const { code } = await system.program.untilExit(10);
  assert.equal(code, 1, system.program.tail());
  const said = system.program.lines.join('\n');
  for (const name of Object.keys(wrong))
    assert.ok(said.includes(name), `${name} is not named in:\n${said}`);
  assert.doesNotMatch(said, /^\s+at /m);
});

test('A stop in the middle of the start ends in good order, and the next start works', async (t) => {
  const system = await systemFor(t);
  for (const afterMs of [250, 600, 1_000]) {
    system.launch();
    await elapse(afterMs);
    const { code, ms } = await system.stop('SIGINT');
    assert.ok(code === 0 || code === null, `exit code ${code}\n${system.program.tail()}`);
    assert.ok(ms < 10_000, `${ms} ms`);
    assert.deepEqual(system.processes(), []);
  }
  await system.start();
});

test('kill -9 at any moment of the first start leaves a directory that the next start can use', async (t) => {
  const system = await systemFor(t);
  for (const afterMs of [300, 700, 1_100]) {
    system.launch();
    await elapse(afterMs);
    await system.kill('everything');
  }
  await system.start();
  await untilOrder(system.url, await place(system.url, anOrder()), 'Shipped');
});
