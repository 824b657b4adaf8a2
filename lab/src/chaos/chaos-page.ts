import type { Mode } from './fault-kinds.ts';
import { type MatrixRow, matrixOf } from './matrix.ts';
import { isGreen, type RoundResult } from './round-result.ts';

const titles: Record<Mode, string> = {
  embedded: 'Embedded: one process, PostgreSQL, the provider',
  kafka: 'Kafka: two of each service, broker, PostgreSQL, the provider',
};

/** The markdown page on all rounds of a results file; `resultsName` is its file name. */
export function chaosPage(rounds: readonly RoundResult[], resultsName: string): string {
  const parts = (['embedded', 'kafka'] as const).flatMap((mode) => {
    const own = rounds.filter((round) => round.mode === mode);
    return own.length === 0 ? [] : [modePart(mode, own)];
  });
  return `# Chaos: what faults do to orders

Made by \`npm run chaos\`. Real processes under a load of real orders are struck by faults that a seed has drawn; then everything is
healed, every order must be Shipped (or Cancelled, where that was asked), and the orders are compared with the provider's ledger and audited. Each line of
[${resultsName}](${resultsName}) is a round.

Every twentieth order is cancelled, operators retry and give verdicts on what is Retrying, ten orders of a round are as large as
orders can be, on Kafka another producer writes orders whose records have odd times, and in some rounds the wall clock of one
instance is wrong.

A fault lasts from its first blow until what was killed is launched, or what was disturbed is left alone. Placed: orders placed
meanwhile. Under it: orders on their way at some moment of it. Time to recover: from its end until the first order placed after it
is seen as Shipped; it contains the start of what was killed, and what the next faults did to that order. An order under two
faults counts at both; what is lost, doubled or stuck is counted once in the last line. CPU: the busiest process while its database was
away, of one core; requests come all the time.

${parts.join('\n')}`;
}

function modePart(mode: Mode, rounds: readonly RoundResult[]): string {
  const rows = matrixOf(rounds);
  const all = rows.at(-1);
  const orders = rounds.reduce((sum, round) => sum + round.orders, 0);
  const red = rounds.filter((round) => !isGreen(round)).length;
  return `## ${titles[mode]}

${all?.faults ?? 0} faults in ${rounds.length} rounds, ${orders.toLocaleString('en')} orders: ${all?.lost ?? 0} lost, ${all?.doubled ?? 0} doubled, ${all?.stuck ?? 0} stuck; ${red === 0 ? 'every round green' : `${red} round(s) red`}.

![Time to recover by kind of fault](chaos-${mode}.svg)

| fault | times | orders placed | orders under it | lost | doubled | stuck | to recover, median | worst | CPU |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
${rows.map(matrixLine).join('\n')}

| seed | made at | of commit | faults | orders | per second | databases | provider | clock | cancelled | retried | verdicts | drained in | outcome |
|--:|---|---|--:|--:|--:|---|---|---|--:|--:|--:|--:|---|
${rounds.map(roundLine).join('\n')}
`;
}

function matrixLine(row: MatrixRow): string {
  const { kind, faults, placed, under, lost, doubled, stuck, recoverMs, cpuPercent } = row;
  const times =
    recoverMs === undefined ? ['', ''] : [seconds(recoverMs.p50), seconds(recoverMs.max)];
  const cpu = cpuPercent === undefined ? '' : `${cpuPercent} %`;
  return `| ${[kind, faults, placed, under, lost, doubled, stuck, ...times, cpu].join(' | ')} |`;
}

function roundLine(round: RoundResult): string {
  const {
    seed,
    at,
    commit,
    faults,
    orders,
    ordersPerSecond,
    drainSeconds,
    behindProxies,
    honoursKeys,
    clock,
    cancelled,
    retries,
    verdicts,
  } = round;
  const { lost, doubled, stuck, otherwise, audit } = round;
  const red = `${lost} lost, ${doubled} doubled, ${stuck} stuck, ${otherwise} otherwise, audit ${audit === 'clean' ? audit : 'red'}`;
  const words = [
    behindProxies ? 'behind proxies' : 'its own',
    honoursKeys ? 'honours keys' : 'ignores keys',
    ...(clock === undefined ? [''] : [`${clock.part} ${clock.aheadSeconds} s`]),
    cancelled ?? '',
    retries ?? '',
    verdicts ?? '',
    `${drainSeconds} s`,
    isGreen(round) ? 'green' : red,
  ];
  return `| ${[seed, at.slice(0, 16), commit, faults.length, orders, ordersPerSecond, ...words].join(' | ')} |`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
