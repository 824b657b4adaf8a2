import assert from 'node:assert/strict';
import { test } from 'node:test';
import { embeddedKinds, everything, kafkaKinds } from '../../src/chaos/fault-kinds.ts';
import { faultsOf, planRound } from '../../src/chaos/round-plan.ts';

const seeds = Array.from({ length: 60 }, (_, seed) => seed);
const modes = ['embedded', 'kafka'] as const;
const plans = modes.flatMap((mode) => seeds.map((seed) => planRound(mode, seed, 25)));

test('The same seed draws the same round, and another seed another one', () => {
  assert.deepEqual(planRound('kafka', 7, 25), planRound('kafka', 7, 25));
  assert.notDeepEqual(planRound('kafka', 7, 25).blows, planRound('kafka', 8, 25).blows);
});

test('A round has exactly as many faults as it is asked for', () => {
  for (const count of [1, 2, 12, 25]) {
    for (const mode of modes) {
      for (const seed of seeds) assert.equal(faultsOf(planRound(mode, seed, count)).length, count);
    }
  }
});

test('In the long run every kind of fault strikes', () => {
  const drawn = new Set(plans.flatMap(faultsOf).map(({ kind }) => kind));
  const kinds = [...embeddedKinds(true), ...embeddedKinds(false), ...kafkaKinds()].map(
    ({ kind }) => kind,
  );
  assert.deepEqual(
    kinds.filter((kind) => !drawn.has(kind)),
    [],
  );
});

test('Every fault has an end within seconds, and strikes something', () => {
  for (const plan of plans) {
    for (const { kind, part, durationMs } of plan.blows.flatMap(({ faults }) =>
      faults.map(({ fault }) => fault),
    )) {
      const longest = kind.startsWith('long pause') ? 20_000 : 5_000;
      assert.ok(
        part !== '' && durationMs >= 0 && durationMs <= longest,
        `${part}: ${durationMs} ms`,
      );
    }
    for (const { part, durationMs } of plan.background)
      assert.ok(part !== '' && durationMs <= 18_000);
  }
});

test('Two faults at once never strike the same part', () => {
  for (const { blows } of plans) {
    for (const { faults } of blows) {
      const parts = faults.map(({ fault }) => fault.part);
      assert.equal(new Set(parts).size, parts.length);
      assert.ok(parts.length === 1 || !parts.includes(everything), parts.join());
    }
  }
});

test('A process in a long pause is neither killed nor woken by another fault', () => {
  for (const { background, blows } of plans) {
    const paused = background.map(({ part }) => part);
    const struck = blows.flatMap(({ faults }) => faults.map(({ fault }) => fault));
    assert.ok(
      struck.every(
        ({ action, part }) => !['kill', 'pause'].includes(action) || !paused.includes(part),
      ),
    );
  }
});

test('What a provider without keys is sent never lies about for as long as the settle time', () => {
  for (const plan of plans.filter(({ honoursKeys }) => !honoursKeys)) {
    const late = faultsOf(plan).filter(
      ({ action, part }) =>
        (action === 'pause' && part === 'provider') ||
        (action === 'hold' && /provider$/.test(part)),
    );
    for (const { durationMs } of late)
      assert.ok(2 * durationMs < plan.settleSeconds * 1000, `${durationMs} ms`);
  }
});
