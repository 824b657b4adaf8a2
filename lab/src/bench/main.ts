import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CommandLineError,
  positiveNumber,
  type readArguments,
  runCommand,
} from '@orders/platform/process/command-line';
import { measureBurst, measurePaced, withWholeSystem } from './journey.ts';
import { measureMemory } from './memory.ts';
import { memoryReportOf } from './memory-report.ts';
import { reportOf } from './report.ts';
import type { Files } from './report-parts.ts';
import { measureRounds } from './rounds.ts';
import { readSampleBodies } from './samples.ts';
import { judge, judgeMemory, type Target } from './targets.ts';

const usage = `Usage: npm run bench [-- options]
  --rounds N       rounds of the side-by-side comparison (5)
  --seconds N      measured time of each turn (8)
  --connections N  connections of the load (128)
  --orders N       orders of the created → shipped run (20000), or of --memory (200000)
  --memory         only the memory run
  --quick          a short look: its figures mean little
  --record         writes the report to docs/benchmarks; without it, to .data/benchmarks
Exit code: 0 every claim holds, 1 one does not, 2 a wrong option.
`;

const root = join(import.meta.dirname, '../../..');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const options = {
  rounds: text,
  seconds: text,
  connections: text,
  orders: text,
  memory: flag,
  quick: flag,
  record: flag,
} as const;

type Values = ReturnType<typeof readArguments<typeof options>>['values'];

await runCommand({ usage, options }, async ({ values }) => ((await bench(values)) ? 0 : 1));

/** Runs what the arguments ask for, writes the files, and resolves to whether every claim holds. */
async function bench(values: Values): Promise<boolean> {
  const { memory, quick, record } = values;
  if (quick && record)
    throw new CommandLineError('--quick is too short for figures that --record keeps.');
  const number = (
    name: 'rounds' | 'seconds' | 'connections' | 'orders',
    usual: number,
    short: number,
  ): number => {
    const given = values[name];
    return given === undefined ? (quick ? short : usual) : positiveNumber(name, given);
  };
  const common = { bodies: await readSampleBodies(), connections: number('connections', 128, 128) };
  const warmupCount = quick ? 1_000 : 5_000;
  const options = {
    ...common,
    rounds: number('rounds', 5, 1),
    seconds: number('seconds', 8, 2),
    warmupCount,
  };
  const command = [
    'npm run bench',
    ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : []),
  ].join(' ');
  const circumstances = { ...options, command };
  const folder = join(root, record ? 'docs/benchmarks' : '.data/benchmarks');

  if (memory) {
    const run = await measureMemory(options, number('orders', 200_000, 5_000), say);
    const target = judgeMemory(run.orders, run.growth);
    return await conclude([target], memoryReportOf(circumstances, run, target), folder);
  }
  const rounds = await measureRounds({ ...options, warmupSeconds: quick ? 1 : 3, say });
  const journeys = await withWholeSystem(options, async (server) => {
    const burst = await measureBurst(server, options, number('orders', 20_000, 2_000));
    say(
      `created → shipped: ${burst.orders} orders in ${burst.seconds.toFixed(1)} s, ${burst.perSecond.toFixed(0)} orders/s`,
    );
    const paced = await measurePaced(server, options, { rate: 50, seconds: quick ? 4 : 20 });
    say(
      `created → shipped at ${paced.rate}/s: p50 ${paced.p50.toFixed(1)} ms, p99 ${paced.p99.toFixed(1)} ms`,
    );
    return { burst, paced };
  });
  const targets = judge(rounds, journeys.burst, journeys.paced);
  return await conclude(
    targets,
    reportOf(circumstances, rounds, journeys.burst, journeys.paced, targets),
    folder,
  );
}

async function conclude(
  targets: readonly Target[],
  files: Files,
  folder: string,
): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  say('');
  for (const { claim, measured, isMet } of targets)
    say(`${isMet ? 'pass' : 'MISS'}  ${claim}: ${measured}`);
  say(`Written to ${folder}`);
  return targets.every(({ isMet }) => isMet);
}
