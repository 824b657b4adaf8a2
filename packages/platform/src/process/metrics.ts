import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { standardOutput } from './standard-output.ts';

export type Metrics = ReturnType<typeof createMetrics>;

const secondsBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800,
];

/**
 * One service's metrics (Prometheus). Names are those of the contract; durations are in seconds.
 */
export function createMetrics(service: string) {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  const registers = [registry];
  new Counter({
    name: 'log_lines_dropped_total',
    help: 'Log lines of this process that standard output did not take',
    registers,
    collect() {
      this.reset();
      this.inc(standardOutput().dropped());
    },
  });
  return {
    registry,
    breakerState: new Gauge({
      name: 'circuit_breaker_state',
      help: '0 closed, 1 half-open, 2 open',
      labelNames: ['name'],
      registers,
    }),
    counter: <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    gauge: <L extends string>(
      name: string,
      help: string,
      labelNames: L[] = [],
      collect?: (gauge: Gauge<L>) => void | Promise<void>,
    ) =>
      new Gauge<L>({
        name,
        help,
        labelNames,
        registers,
        ...(collect && {
          collect(this: Gauge<L>) {
            return collect(this);
          },
        }),
      }),
    seconds: <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Histogram({ name, help, labelNames, registers, buckets: secondsBuckets }),
    /** Adds CPU, memory, event loop and garbage collection of the process. */
    observeProcess: () => collectDefaultMetrics({ register: registry }),
  };
}
