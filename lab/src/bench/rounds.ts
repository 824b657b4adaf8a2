import { runLoad, startServer } from './children.ts';
import type { LoadResult } from './load.ts';
import { type Usage, usageOf, usageOfPostgres } from './process-usage.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { type Subject, type SubjectKey, subjects } from './subjects.ts';

export type RoundOptions = {
  bodies: string[];
  rounds: number;
  /** Measured per turn, after the warm-up. */
  seconds: number;
  warmupSeconds: number;
  connections: number;
  say: (line: string) => void;
};

/**
 * One subject measured once. Memory in bytes; CPU in milliseconds per accepted order; undefined
 * where there is no /proc.
 */
export type Turn = {
  perSecond: number;
  latency: LoadResult['latency'];
  others: number;
  serverPeakBytes: number | undefined;
  postgresBytes: number | undefined;
  serverCpuMs: number | undefined;
  postgresCpuMs: number | undefined;
};

/** All turns of each subject, by round. */
export type Rounds = Record<SubjectKey, Turn[]>;

/**
 * Measures every subject once per round, one after the other, each in a new process with new data.
 * Rounds begin with another subject each time, so that what changes on the machine over time falls
 * on all of them.
 */
export async function measureRounds(options: RoundOptions): Promise<Rounds> {
  const rounds: Rounds = { echo: [], textbook: [], orderService: [], wholeSystem: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (let place = 0; place < subjects.length; place += 1) {
      const subject = subjects[(round + place) % subjects.length] as Subject;
      const turn = await measureTurn(subject, options);
      rounds[subject.key].push(turn);
      const { perSecond, latency, others } = turn;
      const trouble = others === 0 ? '' : `, ${others} answers other than 201`;
      options.say(
        `round ${round + 1}/${options.rounds}  ${subject.label.padEnd(28)} ${perSecond.toFixed(0).padStart(6)} orders/s, p99 ${latency.p99.toFixed(1)} ms${trouble}`,
      );
    }
  }
  return rounds;
}

async function measureTurn(subject: Subject, options: RoundOptions): Promise<Turn> {
  const server = await startServer(subject.program);
  try {
    const usage = () => Promise.all([usageOf(server.pid), usageOfPostgres(server.dataDir)]);
    let before = usage();
    const load = {
      url: `${server.url}/api/orders`,
      bodies: options.bodies,
      connections: options.connections,
    };
    const { warmupSeconds, seconds } = options;
    const result = await runLoad({ shape: 'for', load, warmupSeconds, seconds }, () => {
      before = usage();
    });
    const [serverBefore, postgresBefore] = await before;
    const [serverAfter, postgresAfter] = await usage();
    return {
      perSecond: result.accepted / result.seconds,
      latency: result.latency,
      others: Object.values(result.others).reduce((sum, count) => sum + count, 0),
      serverPeakBytes: serverAfter?.peakRssBytes,
      postgresBytes: postgresAfter?.rssBytes,
      serverCpuMs: cpuMsPerOrder(serverBefore, serverAfter, result.accepted),
      postgresCpuMs: cpuMsPerOrder(postgresBefore, postgresAfter, result.accepted),
    };
  } finally {
    await server.stop();
  }
}

function cpuMsPerOrder(
  before: Usage | undefined,
  after: Usage | undefined,
  orders: number,
): number | undefined {
  if (before === undefined || after === undefined || orders === 0) return undefined;
  return ((after.cpuSeconds - before.cpuSeconds) * 1000) / orders;
}

/** How many times as fast `one` is as `other`, computed within each round. */
export function ratioOf(rounds: Rounds, one: SubjectKey, other: SubjectKey): Spread {
  return spreadOf(
    rounds[one].map(
      (turn, round) => turn.perSecond / (rounds[other][round]?.perSecond ?? Number.NaN),
    ),
  );
}
