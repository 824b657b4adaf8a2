import { measureBurst, withWholeSystem } from './journey.ts';
import { usageOf, usageOfPostgres } from './process-usage.ts';
import { percentileOf } from './statistics.ts';

/** Memory at one moment, in bytes; `shipped` orders had been through the whole system. */
type MemorySample = {
  seconds: number;
  serverBytes: number;
  postgresBytes: number;
  shipped: number;
};

export type MemoryRun = {
  orders: number;
  seconds: number;
  samples: MemorySample[];
  growth: number;
};

const sampleMs = 1_000;

/**
 * Sends `count` orders through the whole system and samples the memory each second. Throws where
 * there is no /proc to read it from.
 */
export async function measureMemory(
  options: { bodies: string[]; connections: number; warmupCount: number },
  count: number,
  say: (line: string) => void,
): Promise<MemoryRun> {
  return await withWholeSystem(options, async (server) => {
    const samples: MemorySample[] = [];
    let shipped = 0;
    let failure: unknown;
    const start = performance.now();
    const sample = async (): Promise<void> => {
      const [own, postgres] = await Promise.all([
        usageOf(server.pid),
        usageOfPostgres(server.dataDir),
      ]);
      if (own === undefined || postgres === undefined)
        throw new Error('The memory run needs Linux: it reads /proc.');
      const seconds = (performance.now() - start) / 1000;
      samples.push({
        seconds,
        serverBytes: own.rssBytes,
        postgresBytes: postgres.rssBytes,
        shipped,
      });
      if (samples.length % 10 === 0)
        say(`${shipped} of ${count} orders shipped, ${mebibytes(own.rssBytes)} MiB`);
    };
    await sample();
    const timer = setInterval(() => {
      sample().catch((error: unknown) => {
        failure = error;
      });
    }, sampleMs);
    try {
      const { seconds } = await measureBurst(server, options, count, (moment) => {
        shipped = moment.shipped;
        if (failure !== undefined) throw failure;
      });
      await sample();
      return {
        orders: count,
        seconds,
        samples,
        growth: growthOf(samples.map(({ serverBytes }) => serverBytes)),
      };
    } finally {
      clearInterval(timer);
    }
  });
}

/** The last quarter's median over the second quarter's: the first quarter is warm-up. 1 is flat. */
export function growthOf(values: readonly number[]): number {
  const quarter = (from: number, to: number): number => {
    const part = values.slice(Math.floor(values.length * from), Math.ceil(values.length * to));
    return percentileOf(part, 50);
  };
  return quarter(0.75, 1) / quarter(0.25, 0.5);
}

export const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
