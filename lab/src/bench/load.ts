import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type HttpConnection, openConnection, serializePost } from './http-connection.ts';

/**
 * What a load is made of. `url` is the whole address that is posted to; `bodies` are taken in turn.
 */
export type Load = { url: string; bodies: string[]; connections: number };

/** How the posts of a load went. Latencies are in milliseconds and of the 201s only. */
export type LoadResult = {
  accepted: number;
  seconds: number;
  /** Answers other than 201 by status; 0 is a broken connection. */
  others: Record<number, number>;
  latency: { p50: number; p95: number; p99: number; max: number };
};

/** After an answer other than 201 a connection waits so long, as a client with manners would. */
const mannersMs = 50;
/** A broken server must not let a load run for ever. */
const othersMax = 100_000;

/**
 * Posts for `warmupSeconds`, then measures for `seconds`; `onMeasuring` is called between the two.
 * Closed loop.
 */
export async function postFor(
  load: Load,
  time: { warmupSeconds: number; seconds: number },
  onMeasuring: () => void,
): Promise<LoadResult> {
  const counts = createCounts();
  let isOver = false;
  const posting = postInClosedLoop(load, counts, () => !isOver);
  await delay(time.warmupSeconds * 1000);
  counts.reset();
  onMeasuring();
  await delay(time.seconds * 1000);
  const result = counts.result();
  isOver = true;
  await posting;
  return result;
}

/** Posts until `count` orders were answered with 201. Closed loop. */
export async function postCount(load: Load, count: number): Promise<LoadResult> {
  const counts = createCounts();
  let begun = 0;
  const mayPost = (isRepeat: boolean): boolean => isRepeat || begun++ < count;
  await postInClosedLoop(load, counts, mayPost);
  return counts.result();
}

/**
 * Posts `count` orders at `rate` per second whatever the answers (open loop). Latency counts from
 * when a post was due.
 */
export async function postAtRate(load: Load, rate: number, count: number): Promise<LoadResult> {
  const { connections, requests } = prepare(load);
  const counts = createCounts();
  const idle = [...connections];
  let answered = 0;
  const start = performance.now();
  for (let index = 0; index < count; index += 1) {
    const due = start + (index * 1000) / rate;
    const aheadMs = due - performance.now();
    if (aheadMs > 0) await delay(aheadMs);
    const connection = idle.pop();
    if (connection === undefined)
      throw new Error(
        `All ${load.connections} connections wait for an answer: the rate is too high.`,
      );
    connection.send(requests[index % requests.length] as Buffer, (status) => {
      counts.record(status, performance.now() - due);
      idle.push(connection);
      answered += 1;
    });
  }
  const giveUp = performance.now() + 30_000;
  while (answered < count && performance.now() < giveUp) await delay(10);
  for (const connection of connections) connection.close();
  return counts.result();
}

/** Each connection posts, waits for the answer and posts again, as long as `mayPost` allows. */
function postInClosedLoop(
  load: Load,
  counts: Counts,
  mayPost: (isRepeat: boolean) => boolean,
): Promise<void> {
  const { connections, requests } = prepare(load);
  let next = 0;
  let running = connections.length;
  return new Promise((resolve) => {
    const post = (connection: HttpConnection, isRepeat: boolean): void => {
      if (!mayPost(isRepeat) || counts.othersTotal() > othersMax) {
        connection.close();
        running -= 1;
        if (running === 0) resolve();
        return;
      }
      const sent = performance.now();
      const request = requests[next++ % requests.length] as Buffer;
      connection.send(request, (status) => {
        counts.record(status, performance.now() - sent);
        if (status === 201) post(connection, false);
        else setTimeout(post, mannersMs, connection, true);
      });
    };
    for (const connection of connections) post(connection, false);
  });
}

function prepare({ url, bodies, connections }: Load): {
  connections: HttpConnection[];
  requests: Buffer[];
} {
  const target = new URL(url);
  return {
    connections: Array.from({ length: connections }, () => openConnection(target)),
    requests: bodies.map((body) => serializePost(target, body)),
  };
}

type Counts = ReturnType<typeof createCounts>;

function createCounts() {
  let latencyUs: RecordableHistogram = createHistogram();
  let others: Record<number, number> = {};
  let start = performance.now();
  return {
    record(status: number, ms: number): void {
      if (status === 201) latencyUs.record(Math.max(1, Math.round(ms * 1000)));
      else others[status] = (others[status] ?? 0) + 1;
    },
    othersTotal: () => Object.values(others).reduce((sum, count) => sum + count, 0),
    reset(): void {
      latencyUs = createHistogram();
      others = {};
      start = performance.now();
    },
    result(): LoadResult {
      const ms = (percentile: number): number => latencyUs.percentile(percentile) / 1000;
      return {
        accepted: latencyUs.count,
        seconds: (performance.now() - start) / 1000,
        others,
        latency: {
          p50: ms(50),
          p95: ms(95),
          p99: ms(99),
          max: latencyUs.count === 0 ? 0 : latencyUs.max / 1000,
        },
      };
    },
  };
}
