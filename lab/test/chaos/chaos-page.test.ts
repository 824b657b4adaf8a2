import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultFigures } from '../../src/chaos/attribution.ts';
import { chaosPage } from '../../src/chaos/chaos-page.ts';
import { chaosPlot } from '../../src/chaos/chaos-plot.ts';
import { matrixOf } from '../../src/chaos/matrix.ts';
import { isGreen, type RoundResult } from '../../src/chaos/round-result.ts';

const figures = (kind: string, over: Partial<FaultFigures> = {}): FaultFigures => ({
  kind,
  part: 'provider',
  ms: 500,
  placed: 10,
  under: 20,
  lost: 0,
  doubled: 0,
  stuck: 0,
  recoverMs: 400,
  ...over,
});

const round = (faults: FaultFigures[], over: Partial<RoundResult> = {}): RoundResult => ({
  mode: 'embedded',
  seed: 5,
  at: '2026-01-20T21:09:00.000Z',
  commit: 'abc1234',
  behindProxies: true,
  honoursKeys: false,
  ordersPerSecond: 20,
  seconds: 40,
  drainSeconds: 3,
  sent: 100,
  accepted: 99,
  orders: 100,
  lost: 0,
  doubled: 0,
  stuck: 0,
  otherwise: 0,
  audit: 'clean',
  faults,
  ...over,
});

test('The matrix has a row for each kind of fault, and last the sum, in which a doubled order counts once', () => {
  const rows = matrixOf([
    round([figures('kill provider', { recoverMs: 900 }), figures('pause system')]),
    round(
      [
        figures('kill provider', { recoverMs: null, doubled: 1 }),
        figures('kill provider', { recoverMs: 300, doubled: 1 }),
      ],
      { doubled: 1 },
    ),
  ]);
  assert.deepEqual(
    rows.map(({ kind, faults, under, doubled, recoverMs }) => [
      kind,
      faults,
      under,
      doubled,
      recoverMs,
    ]),
    [
      ['kill provider', 3, 60, 2, { p50: 300, max: 900 }],
      ['pause system', 1, 20, 0, { p50: 400, max: 400 }],
      ['all', 4, 80, 1, { p50: 400, max: 900 }],
    ],
  );
});

test('The page says of each round whether it was green, and how it was red', () => {
  const page = chaosPage(
    [round([figures('kill provider')]), round([], { seed: 6, stuck: 2, audit: ['x'] })],
    'r.ndjson',
  );
  assert.match(page, /\| 5 \|.*\| ignores keys \| +\| +\| +\| +\| 3 s \| green \|/);
  assert.match(page, /\| 6 \|.*0 lost, 0 doubled, 2 stuck, 0 otherwise, audit red/);
  assert.match(page, /1 round\(s\) red/);
});

test('A round is red for anything that does not add up', () => {
  assert.ok(isGreen(round([])));
  for (const over of [
    { lost: 1 },
    { doubled: 1 },
    { stuck: 1 },
    { otherwise: 1 },
    { audit: ['lost'] },
  ]) {
    assert.ok(!isGreen(round([], over)), JSON.stringify(over));
  }
});

test('The plot has a line for each row, and can do without times', () => {
  const svg = chaosPlot(
    'Faults',
    matrixOf([round([figures('kill provider', { recoverMs: null, lost: 3 })])]),
  );
  assert.match(svg, /kill provider/);
  assert.match(svg, /class="bad"[^>]*>3</);
});
