import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sumOf } from '../../src/bench/journey.ts';
import { growthOf } from '../../src/bench/memory.ts';
import { barPlot, linePlot } from '../../src/bench/plots.ts';
import { usageOf, usageOfPostgres } from '../../src/bench/process-usage.ts';
import { reportOf } from '../../src/bench/report.ts';
import { type Rounds, ratioOf, type Turn } from '../../src/bench/rounds.ts';
import { readSampleBodies } from '../../src/bench/samples.ts';
import { percentileOf, spreadOf } from '../../src/bench/statistics.ts';
import { judge, judgeMemory } from '../../src/bench/targets.ts';
import { axisUpTo } from '../../src/kit/svg.ts';

test('percentiles lie between the values, the median of an even count in their middle', () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
  assert.equal(percentileOf([10, 20], 99), 19.9);
  assert.equal(percentileOf([7], 99), 7);
  assert.throws(() => percentileOf([], 50));
});

test('a ratio is taken within each round, before the median', () => {
  const rounds = roundsOf({ orderService: [10, 40, 90], echo: [10, 20, 30] });
  assert.deepEqual(ratioOf(rounds, 'orderService', 'echo'), { median: 2, min: 1, max: 3 });
});

test('a counter is summed over its labels and not mixed up with one of a longer name', () => {
  const text =
    '# HELP a_count x\na_count{service="one"} 2\na_count{service="two",le="1"} 3\na_count_more 9\nb_count 1.5\n';
  assert.equal(sumOf(text, 'a_count'), 5);
  assert.equal(sumOf(text, 'b_count'), 1.5);
  assert.equal(sumOf(text, 'c_count'), 0);
});

test('memory is flat when the last quarter is as high as the second, whatever the first was', () => {
  assert.equal(growthOf([1, 5, 10, 10, 12, 9, 10, 10]), 1);
  assert.equal(judgeMemory(200_000, growthOf([1, 1, 10, 10, 12, 20, 20, 20])).isMet, false);
});

test('axes end at a round number that holds the data', () => {
  assert.deepEqual(
    axisUpTo(0.9).ticks.map((tick) => Math.round(tick * 100) / 100),
    [0, 0.25, 0.5, 0.75, 1],
  );
  assert.deepEqual(axisUpTo(100).ticks, [0, 25, 50, 75, 100]);
  assert.equal(axisUpTo(47_500).max, 60_000);
  assert.ok(axisUpTo(0).max > 0);
});

test('plots are whole SVG documents with escaped texts', () => {
  const bars = barPlot('a < b & c', 'orders/s', [{ label: 'one', value: 3, min: 2, max: 4 }]);
  assert.match(bars, /^<svg xmlns[\s\S]*a &lt; b &amp; c[\s\S]*<\/svg>\n$/);
  const lines = linePlot('t', { x: 's', y: 'MiB' }, [
    {
      label: 'one',
      points: [
        { x: 0, y: 1 },
        { x: 1, y: 2 },
      ],
    },
  ]);
  assert.match(lines, /<polyline points="[\d., ]+" class="line s0"\/>/);
  assert.doesNotMatch(bars + lines, /NaN|undefined/);
});

test('the page tells every claim with its figure, and whether it was missed', () => {
  const rounds = roundsOf({
    echo: [100, 100],
    textbook: [10, 10],
    orderService: [50, 30],
    wholeSystem: [20, 20],
  });
  const burst = {
    orders: 20,
    seconds: 2,
    perSecond: 10,
    moments: [{ seconds: 2, created: 20, shipped: 20 }],
  };
  const paced = { rate: 50, ms: [8, 60], p50: 8, p99: 60, max: 60, postP99: 4 };
  const targets = judge(rounds, burst, paced);
  assert.deepEqual(
    targets.map(({ isMet }) => isMet),
    [true, true, false, true, false],
  );
  const circumstances = {
    command: 'npm run bench',
    bodies: ['{}'],
    connections: 64,
    seconds: 8,
    rounds: 2,
  };
  const page = reportOf(circumstances, rounds, burst, paced, targets)['latest.md'] ?? '';
  assert.match(page, /to bare Fastify 0\.40 \(0\.30–0\.50\)/);
  assert.match(page, /fsync on, synchronous_commit on/);
  assert.equal(page.match(/\*\*miss\*\*/g)?.length, 2);
  assert.doesNotMatch(page, /NaN|undefined/);
});

test('the samples that are posted are those the schema accepts', async () => {
  assert.equal((await readSampleBodies()).length, 33);
});

test('a process that does not exist, or a directory without a server, has used nothing that is known', async () => {
  assert.equal(await usageOf(2 ** 22 + 1), undefined);
  assert.equal(await usageOfPostgres('/nowhere'), undefined);
});

test('the memory of this process is read where there is a /proc', {
  skip: process.platform !== 'linux',
}, async () => {
  const usage = await usageOf(process.pid);
  assert.ok(
    usage !== undefined && usage.rssBytes > 10_000_000 && usage.peakRssBytes >= usage.rssBytes,
  );
});

function roundsOf(perSecond: Partial<Record<keyof Rounds, number[]>>): Rounds {
  const turnsOf = (key: keyof Rounds): Turn[] =>
    (perSecond[key] ?? []).map((value) => ({
      perSecond: value,
      latency: { p50: 1, p95: 2, p99: 3, max: 4 },
      others: 0,
      serverPeakBytes: 1e8,
      postgresBytes: undefined,
      serverCpuMs: 0.1,
      postgresCpuMs: undefined,
    }));
  return {
    echo: turnsOf('echo'),
    textbook: turnsOf('textbook'),
    orderService: turnsOf('orderService'),
    wholeSystem: turnsOf('wholeSystem'),
  };
}
