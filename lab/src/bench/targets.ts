import type { Burst, Paced } from './journey.ts';
import { type Rounds, ratioOf } from './rounds.ts';

/** One claim and what was measured for it. */
export type Target = { claim: string; measured: string; isMet: boolean };

/** The claims of the bench. */
export function judge(rounds: Rounds, burst: Burst, paced: Paced): Target[] {
  const toEcho = ratioOf(rounds, 'orderService', 'echo').median;
  const toTextbook = ratioOf(rounds, 'orderService', 'textbook').median;
  return [
    {
      claim:
        'Order Service: at least 40 % of the requests per second of a bare Fastify that keeps nothing',
      measured: `${(toEcho * 100).toFixed(0)} %`,
      isMet: toEcho >= 0.4,
    },
    {
      claim: 'Order Service: at least 4 times the orders per second of the textbook handler',
      measured: `${toTextbook.toFixed(1)} times`,
      isMet: toTextbook >= 4,
    },
    {
      claim: 'Whole system: at least 3,000 orders per second from created to shipped',
      measured: `${burst.perSecond.toFixed(0)}/s`,
      isMet: burst.perSecond >= 3_000,
    },
    {
      claim: `Created → shipped at ${paced.rate} orders/s: p50 below 15 ms`,
      measured: `${paced.p50.toFixed(1)} ms`,
      isMet: paced.p50 < 15,
    },
    {
      claim: `Created → shipped at ${paced.rate} orders/s: p99 below 50 ms`,
      measured: `${paced.p99.toFixed(1)} ms`,
      isMet: paced.p99 < 50,
    },
  ];
}

/** Memory may grow by a fifth from the second quarter of the run to the last: heaps breathe. */
export function judgeMemory(orders: number, growth: number): Target {
  return {
    claim: `Memory stays flat over ${orders.toLocaleString('en')} orders (last quarter at most 1.2 times the second)`,
    measured: `${growth.toFixed(2)} times`,
    isMet: growth <= 1.2,
  };
}
