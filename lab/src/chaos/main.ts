import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { NewOrder } from '@orders/contracts/orders/api';
import { runCommand } from '@orders/platform/process/command-line';
import { startProgress } from '../kit/progress.ts';
import { readRealOrders } from '../load/real-orders.ts';
import {
  type ChaosOptions,
  options as commandOptions,
  readOptions,
  repeatCommand,
  repository,
  roundsOf,
  usage,
} from './chaos-options.ts';
import { chaosPage } from './chaos-page.ts';
import { chaosPlot } from './chaos-plot.ts';
import { startEmbeddedSubject } from './embedded-subject.ts';
import type { Mode } from './fault-kinds.ts';
import { startKafkaSubject } from './kafka-subject.ts';
import { matrixOf } from './matrix.ts';
import { faultsOf, planRound } from './round-plan.ts';
import { appendResult, isGreen, type RoundResult, readResults } from './round-result.ts';
import { runRound } from './run-round.ts';

/** Kafka is asked for and cannot be had on this machine. */
const noKafkaCode = 2;
const shownProblems = 10;

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
await runCommand({ usage, options: commandOptions }, async ({ values }) => {
  const options = readOptions(values);
  const known = (await readResults(options.results)).filter(({ mode }) => mode === options.mode);
  const code = await runRounds(options, roundsOf(options, known));
  await writeReport(options.results);
  return code;
});

/** The exit code: 1 after a round that is red or could not be finished. */
async function runRounds(
  options: ChaosOptions,
  rounds: { seed: number; count: number }[],
): Promise<number> {
  const { mode, results, keepsLogs } = options;
  const [orders, commit] = [await readRealOrders(), await commitOfNow()];
  const total = rounds.reduce((sum, { count }) => sum + count, 0);
  const so = { round: 0, faults: 0, accepted: 0, lost: 0, doubled: 0, stuck: 0 };
  const progress = startProgress(process.stdout, () => ({
    share: so.faults / total,
    text:
      `${mode}, round ${so.round}/${rounds.length}, fault ${so.faults}/${total}, ${so.accepted} orders accepted: ` +
      `${so.lost} lost, ${so.doubled} doubled, ${so.stuck} stuck`,
  }));
  try {
    for (const { seed, count } of rounds) {
      so.round += 1;
      const before = so.accepted;
      const result = await attemptRound(
        { mode, seed, count, orders, keepsLogs, say: progress.say },
        (accepted) => {
          so.faults += 1;
          so.accepted = before + accepted;
        },
      );
      if (typeof result === 'number') return result;
      await appendResult(results, { ...result, commit });
      so.accepted = before + result.accepted;
      so.lost += result.lost;
      so.doubled += result.doubled;
      so.stuck += result.stuck;
      progress.say(said(result));
      if (!isGreen({ ...result, commit })) return 1;
    }
    return 0;
  } finally {
    progress.close();
  }
}

type Round = {
  mode: Mode;
  seed: number;
  count: number;
  orders: NewOrder[];
  keepsLogs: boolean;
  say: (line: string) => void;
};

/**
 * What came of a round, or an exit code where it could not be finished. A round that is not green
 * leaves its logs.
 */
async function attemptRound(
  { mode, seed, count, orders, keepsLogs, say }: Round,
  onFault: (accepted: number) => void,
): Promise<Omit<RoundResult, 'commit'> | number> {
  const plan = planRound(mode, seed, count);
  const subject = await (mode === 'kafka' ? startKafkaSubject(plan) : startEmbeddedSubject(plan));
  if (subject === undefined) return noKafkaCode;
  const journal = faultsOf(plan).map((fault) => `planned: ${JSON.stringify(fault)}`);
  const logs = join(repository, '.data/chaos', `${mode}-${seed}`);
  const keepLogs = async (problems: string[] = []) => {
    await subject.logs.save(logs);
    await writeFile(join(logs, 'journal.txt'), [...journal, ...problems, ''].join('\n'));
  };
  const keep = async (problems: string[]) => {
    await keepLogs(problems);
    for (const problem of problems.slice(0, shownProblems)) say(problem);
    say(`Round of seed ${seed}: ${problems.length} problem(s). Its logs: ${logs}. It again:`);
    say(`  ${repeatCommand(mode, seed, count)}`);
  };
  try {
    const { result, problems } = await runRound(
      plan,
      subject,
      orders,
      ({ fault, startedAt, endedAt }, load) => {
        onFault(load.accepted.length);
        journal.push(
          `${new Date(startedAt).toISOString()} ${endedAt - startedAt} ms ${fault.kind}: ${fault.part}`,
        );
      },
    );
    if (problems.length > 0) await keep(problems);
    else if (keepsLogs) await keepLogs();
    return result;
  } catch (error) {
    await keep([
      `not finished: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    ]);
    return 1;
  } finally {
    await subject.close();
  }
}

function said(result: Omit<RoundResult, 'commit'>): string {
  const { seed, faults, seconds, drainSeconds, orders, lost, doubled, stuck, otherwise, audit } =
    result;
  return (
    `seed ${seed}: ${faults.length} faults in ${seconds} s, drained in ${drainSeconds} s, ${orders} orders: ` +
    `${lost} lost, ${doubled} doubled, ${stuck} stuck, ${otherwise} otherwise, audit ${audit === 'clean' ? audit : 'red'}`
  );
}

async function writeReport(results: string): Promise<void> {
  const rounds = await readResults(results);
  if (rounds.length === 0) return;
  const directory = dirname(results);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'chaos.md'), chaosPage(rounds, basename(results)));
  for (const mode of ['embedded', 'kafka'] as const) {
    const own = rounds.filter((round) => round.mode === mode);
    if (own.length === 0) continue;
    const title = `Faults in ${mode} mode, and what they did to orders`;
    await writeFile(join(directory, `chaos-${mode}.svg`), chaosPlot(title, matrixOf(own)));
  }
}

/** With a plus where files have changed since; what runs of this program write is not meant. */
async function commitOfNow(): Promise<string> {
  const git = async (...args: string[]) =>
    (
      await promisify(execFile)('git', args, { cwd: repository }).catch(() => ({ stdout: '' }))
    ).stdout.trim();
  const hash = await git('rev-parse', '--short', 'HEAD');
  const changes = await git('status', '--porcelain', '--', '.', ':!docs/benchmarks');
  return hash === '' ? 'unknown' : `${hash}${changes === '' ? '' : '+'}`;
}
