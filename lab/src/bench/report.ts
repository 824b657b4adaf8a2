import type { Burst, Paced } from './journey.ts';
import { mebibytes } from './memory.ts';
import { barPlot, linePlot } from './plots.ts';
import { type Circumstances, type Files, preamble, targetTable } from './report-parts.ts';
import { type Rounds, ratioOf, type Turn } from './rounds.ts';
import { percentileOf, spreadOf } from './statistics.ts';
import { type Subject, subjects } from './subjects.ts';
import type { Target } from './targets.ts';

/** The page of the side-by-side run and its plots. */
export function reportOf(
  circumstances: Circumstances,
  rounds: Rounds,
  burst: Burst,
  paced: Paced,
  targets: readonly Target[],
): Files {
  const { connections, seconds, rounds: count } = circumstances;
  const page = `# Benchmark

${preamble(circumstances)}
${targetTable(targets)}
## Creating orders

POST /api/orders, ${connections} connections, pipelining 1, ${count} rounds of ${seconds} s per server in turn, each in a new process with new data,
after a warm-up. The load comes from another process on the same machine. Figures are medians over the rounds.

${subjectTable(rounds)}
- *Bare Fastify* checks the same schema and answers an id; it is the ceiling of HTTP, JSON and validation.
- *Order Service* has all its rules, outbox and relay; its broker acknowledges at once.
- *Textbook handler*: the same bare Fastify with one transaction per order (INSERT order, INSERT outbox) over a pool of 10 connections.
- *Whole system* creates orders while it publishes, ships and projects those before, in one process.
- Ratios are computed in each round: Order Service to bare Fastify ${ratio(rounds, 'orderService', 'echo')}, Order Service to textbook
  handler ${ratio(rounds, 'orderService', 'textbook')} (median, smallest to largest).
- Memory: the highest resident size of the server's process; PostgreSQL's processes together at the end, what they share counted once.
  CPU is that of the server's process and of PostgreSQL's, without the load generator.

![Orders created per second](throughput.svg)

## Created → shipped

${burst.orders.toLocaleString('en')} orders posted as fast as they were taken were all shipped after ${burst.seconds.toFixed(1)} s:
**${burst.perSecond.toFixed(0)} orders/s** through all stations.

![Orders created and shipped over time](created-to-shipped.svg)

At a steady ${paced.rate} orders/s, ${paced.ms.length} orders, from \`createdAt\` to the \`updatedAt\` of \`Shipped\`:
p50 **${paced.p50.toFixed(1)} ms**, p99 **${paced.p99.toFixed(1)} ms**, max ${paced.max.toFixed(0)} ms (the POST itself: p99 ${paced.postP99.toFixed(1)} ms).

![Created to shipped at a steady rate](latency.svg)
`;
  return {
    'latest.md': page,
    'throughput.svg': barPlot(
      'Orders created per second (median; whisker: all rounds)',
      'orders per second',
      subjects.map(({ key, label }) => {
        const { median, min, max } = spreadOf(rounds[key].map((turn) => turn.perSecond));
        return { label, value: median, min, max };
      }),
    ),
    'created-to-shipped.svg': linePlot(
      'Orders created and shipped',
      { x: 'seconds', y: 'orders' },
      [
        { label: 'created', points: burst.moments.map(({ seconds: x, created: y }) => ({ x, y })) },
        { label: 'shipped', points: burst.moments.map(({ seconds: x, shipped: y }) => ({ x, y })) },
      ],
    ),
    'latency.svg': linePlot(
      `Created → shipped at ${paced.rate} orders/s`,
      { x: 'percent of the orders', y: 'milliseconds, at most' },
      [{ label: 'created → shipped', points: percentiles(paced.ms) }],
    ),
  };
}

function subjectTable(rounds: Rounds): string {
  const head = [
    '| | orders/s (smallest to largest) | p50 ms | p95 ms | p99 ms | memory, MiB | PostgreSQL, MiB | CPU ms per order | of it PostgreSQL |',
    '|---|---|---|---|---|---|---|---|---|',
  ];
  return [...head, ...subjects.map((subject) => subjectRow(subject, rounds[subject.key]))]
    .join('\n')
    .concat('\n');
}

function subjectRow({ label, hasDatabase }: Subject, turns: readonly Turn[]): string {
  const { median, min, max } = spreadOf(turns.map((turn) => turn.perSecond));
  const latency = (name: 'p50' | 'p95' | 'p99'): string =>
    medianOf(turns.map((turn) => turn.latency[name])).toFixed(1);
  const known = (values: (number | undefined)[]): number[] =>
    values.filter((value) => value !== undefined);
  const cell = (values: number[], show: (value: number) => string): string =>
    values.length === 0 ? '—' : show(medianOf(values));
  const server = known(turns.map((turn) => turn.serverCpuMs));
  const postgres = known(turns.map((turn) => turn.postgresCpuMs));
  const peaks = known(turns.map((turn) => turn.serverPeakBytes));
  const cells = [
    label,
    `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`,
    latency('p50'),
    latency('p95'),
    latency('p99'),
    peaks.length === 0 ? '—' : mebibytes(Math.max(...peaks)),
    hasDatabase ? cell(known(turns.map((turn) => turn.postgresBytes)), mebibytes) : '',
    cell(
      server.map((value, index) => value + (postgres[index] ?? 0)),
      (value) => value.toFixed(3),
    ),
    hasDatabase ? cell(postgres, (value) => value.toFixed(3)) : '',
  ];
  return `| ${cells.join(' | ')} |`;
}

const medianOf = (values: readonly number[]): number => percentileOf(values, 50);

function ratio(rounds: Rounds, one: Subject['key'], other: Subject['key']): string {
  const { median, min, max } = ratioOf(rounds, one, other);
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

function percentiles(ms: readonly number[]): { x: number; y: number }[] {
  return Array.from({ length: 101 }, (_, x) => ({ x, y: percentileOf(ms, x) }));
}
