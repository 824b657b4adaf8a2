import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CircuitBreakerOptions,
  createCircuitBreaker,
} from '../../src/ship/circuit-breaker.ts';

let keys = 0;
const result = (isFailure: boolean) => {
  keys += 1;
  return { key: `order ${keys}`, isFailure };
};

function aBreaker(more: Partial<CircuitBreakerOptions> = {}) {
  const states: string[] = [];
  const breaker = createCircuitBreaker({
    size: 20,
    minimumCalls: 10,
    threshold: 0.5,
    probes: 3,
    openMs: 100,
    openMaxMs: 1_000,
    random: () => 1,
    onChange: (state) => states.push(state),
    ...more,
  });
  const call = (isFailure: boolean, now = 0): boolean => {
    const admitted = breaker.begin(now);
    if (admitted !== undefined) breaker.end(admitted, result(isFailure), now);
    return admitted !== undefined;
  };
  const calls = (count: number, isFailure: boolean, now = 0) =>
    Array.from({ length: count }, () => call(isFailure, now)).filter(Boolean).length;
  return { breaker, states, call, calls };
}

test('it opens when more than half of the last calls failed, and not before there were enough of them', () => {
  const { breaker, calls } = aBreaker();
  calls(9, true);
  assert.equal(breaker.state, 'closed');
  calls(1, true);
  assert.equal(breaker.state, 'open');
  assert.equal(calls(5, true), 0, 'no call leaves');
});

test('as many good calls as bad ones leave it closed, and old ones are forgotten', () => {
  const { breaker, calls, call } = aBreaker();
  for (let i = 0; i < 100; i += 1) call(i % 2 === 1);
  assert.equal(breaker.state, 'closed');
  calls(20, false);
  calls(10, true);
  assert.equal(breaker.state, 'closed');
  call(true);
  assert.equal(breaker.state, 'open');
});

test('after its time it lets a few probes leave at once and no further ones; most of them decide', () => {
  const { breaker, calls, states } = aBreaker();
  calls(10, true);
  assert.equal(breaker.waitMs(40), 60);
  assert.equal(breaker.room(99), 0);
  assert.equal(breaker.room(100), 3);
  const probes = [breaker.begin(100), breaker.begin(100), breaker.begin(100)];
  assert.ok(probes.every((probe) => probe !== undefined));
  assert.equal(breaker.begin(100), undefined);
  const [a, b, c] = probes as { round: number }[];
  if (a) breaker.end(a, result(true), 110);
  if (b) breaker.end(b, result(false), 110);
  assert.equal(breaker.state, 'half_open');
  if (c) breaker.end(c, result(false), 110);
  assert.equal(breaker.state, 'closed');
  assert.deepEqual(states, ['open', 'half_open', 'closed']);
});

test('each failed round of probes doubles the wait up to its maximum, half of it random', () => {
  const { breaker, calls } = aBreaker();
  calls(10, true);
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 6; i += 1) {
    waits.push(breaker.waitMs(now));
    now += breaker.waitMs(now);
    calls(2, true, now);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1_000, 1_000]);
  const least = aBreaker({ random: () => 0 });
  least.calls(10, true);
  assert.equal(least.breaker.waitMs(0), 50);
});

test('a call that began before it opened says nothing about the probes', () => {
  const { breaker, calls } = aBreaker();
  const late = Array.from({ length: 5 }, () => breaker.begin(0));
  calls(10, true);
  const probe = breaker.begin(100);
  assert.ok(probe);
  for (const call of late) if (call) breaker.end(call, result(true), 100);
  assert.equal(breaker.state, 'half_open');
  assert.equal(breaker.room(100), 2);
});

test('a reset closes it at once with a clean memory', () => {
  const { breaker, calls } = aBreaker();
  calls(10, true);
  breaker.reset();
  assert.equal(breaker.state, 'closed');
  calls(9, true);
  assert.equal(breaker.state, 'closed');
});

test('one order alone cannot open it, however often it fails; the others behind it are named', () => {
  const { breaker } = aBreaker();
  const end = (key: string, isFailure: boolean) => {
    const admitted = breaker.begin(0);
    assert.ok(admitted);
    breaker.end(admitted, { key, isFailure }, 0);
  };
  for (let i = 0; i < 100; i += 1) end('hanging', true);
  assert.equal(breaker.state, 'closed');
  for (let i = 0; i < 9; i += 1) end(`other ${i}`, i < 5);
  assert.equal(breaker.state, 'open');
  assert.deepEqual(breaker.failing(), [
    'hanging',
    'other 0',
    'other 1',
    'other 2',
    'other 3',
    'other 4',
  ]);
});
