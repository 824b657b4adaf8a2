import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '@orders/platform/process/config';
import { ShippingProviderConfig, simulationOf } from '../src/config.ts';
import { type Arrival, createSimulator, decideFate, type Fate } from '../src/simulation.ts';

const calm = simulationOf(readConfig(ShippingProviderConfig, {}));
const arrival = (more: Partial<Arrival> = {}): Arrival => ({
  productIds: ['p'],
  hasKey: true,
  past: { posts: 0, bookings: 0 },
  ...more,
});
const draw = (value: number) => () => value;
const fateOf = (productId: string, posts: number, bookings: number) =>
  decideFate(
    calm,
    arrival({ productIds: ['p', productId], hasKey: false, past: { posts, bookings } }),
    draw(0.5),
  );

test('without rates every POST books', () => {
  assert.equal(decideFate(calm, arrival(), draw(0)), 'book');
});

test('TEST products have their fates by what happened to the reference before', () => {
  assert.equal(fateOf('TEST-REFUSE', 5, 0), 'refuse');
  assert.equal(fateOf('TEST-HANG', 5, 0), 'hang');
  assert.equal(fateOf('TEST-DOWN', 5, 0), 'unavailable');
  assert.deepEqual(
    [fateOf('TEST-LOST-RESPONSE', 0, 0), fateOf('TEST-LOST-RESPONSE', 1, 1)],
    ['lose_response', 'book'],
  );
  const flaky = [0, 1, 2, 3].map((posts) => fateOf('TEST-FLAKY-2', posts, 0));
  assert.deepEqual(flaky, ['unavailable', 'unavailable', 'book', 'book']);
});

test('a product id that is a property of every object has no fate', () => {
  assert.equal(fateOf('constructor', 0, 0), 'book');
  assert.equal(fateOf('__proto__', 0, 0), 'book');
});

test('fixed fates win over the rates', () => {
  const settings = { ...calm, failureRate: 1 };
  assert.equal(decideFate(settings, arrival({ productIds: ['TEST-REFUSE'] }), draw(0)), 'refuse');
});

test('a booked key repeats its shipment whatever the rates say, unless dedupe is off or the key is missing', () => {
  const settings = { ...calm, failureRate: 1 };
  const past = { posts: 1, bookings: 1 };
  assert.equal(decideFate(settings, arrival({ past }), draw(0)), 'repeat');
  assert.equal(decideFate(calm, arrival({ past, hasKey: false }), draw(0)), 'book');
  assert.equal(decideFate({ ...calm, dedupe: false }, arrival({ past }), draw(0)), 'book');
});

test('rates share one draw in a fixed order', () => {
  const settings = {
    ...calm,
    failureRate: 0.2,
    refuseRate: 0.2,
    hangRate: 0.2,
    lostResponseRate: 0.2,
  };
  const fates = [0.1, 0.3, 0.5, 0.7, 0.9].map((value) =>
    decideFate(settings, arrival(), draw(value)),
  );
  assert.deepEqual(fates, ['unavailable', 'refuse', 'hang', 'lose_response', 'book']);
});

test('each rate is met over many POSTs', () => {
  const rates = { failureRate: 0.1, refuseRate: 0.05, hangRate: 0.02, lostResponseRate: 0.2 };
  const simulator = createSimulator({ ...calm, ...rates });
  const counts: Partial<Record<Fate, number>> = {};
  for (let post = 0; post < 100_000; post++) {
    const fate = simulator.fateOf(arrival());
    counts[fate] = (counts[fate] ?? 0) + 1;
  }
  const share = (fate: Fate) => Math.round((counts[fate] ?? 0) / 1_000) / 100;
  assert.deepEqual(
    [share('unavailable'), share('refuse'), share('hang'), share('lose_response')],
    [0.1, 0.05, 0.02, 0.2],
  );
});

test('the same seed gives the same fates, whatever the latency, and another seed gives others', () => {
  const fates = (seed: number, latencyJitterMs: number) => {
    const simulator = createSimulator({ ...calm, failureRate: 0.5, seed, latencyJitterMs });
    return Array.from({ length: 100 }, () => {
      simulator.latencyMs();
      return simulator.fateOf(arrival());
    });
  };
  assert.deepEqual(fates(7, 0), fates(7, 100));
  assert.notDeepEqual(fates(7, 0), fates(8, 0));
});

test('a change with a seed starts the draws anew, one without goes on', () => {
  const simulator = createSimulator({ ...calm, failureRate: 0.5 });
  const next = () => Array.from({ length: 50 }, () => simulator.fateOf(arrival()));
  const first = next();
  simulator.change({ latencyMs: 0 });
  assert.notDeepEqual(next(), first);
  simulator.change({ seed: 1 });
  assert.deepEqual(next(), first);
});

test('latency lies between latencyMs and latencyMs + latencyJitterMs, both ends reached', () => {
  const simulator = createSimulator({ ...calm, latencyMs: 10, latencyJitterMs: 3 });
  const seen = new Set(Array.from({ length: 500 }, () => simulator.latencyMs()));
  assert.deepEqual([...seen].sort(), [10, 11, 12, 13]);
});
