import { arch, cpus, platform, release, totalmem } from 'node:os';
import type { Target } from './targets.ts';

/** What a page says about how its figures came about. */
export type Circumstances = {
  command: string;
  bodies: string[];
  connections: number;
  seconds: number;
  rounds: number;
};

/** Files to write: name → content. */
export type Files = Record<string, string>;

/** The table of claims, in Markdown. */
export function targetTable(targets: readonly Target[]): string {
  const lines = targets.map(
    ({ claim, measured, isMet }) => `| ${claim} | ${measured} | ${isMet ? 'pass' : '**miss**'} |\n`,
  );
  return `| claim | measured | |\n|---|---|---|\n${lines.join('')}`;
}

/** When, how and on what was measured, in Markdown. */
export function preamble({ command, bodies }: Circumstances): string {
  const processor = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`;
  const bytes = bodies.reduce((sum, body) => sum + Buffer.byteLength(body), 0) / bodies.length;
  return `Written by \`${command}\` on ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC. Trust the ratios: figures are those of one machine.

- Machine: ${processor}, ${(totalmem() / 1024 ** 3).toFixed(0)} GiB, ${platform()} ${release()} ${arch()}, Node ${process.versions.node}
- Durable: fsync on, synchronous_commit on; PostgreSQL is the embedded server as npm start runs it; logs at their default level, discarded
- Orders: ${bodies.length} real orders of samples/online-retail.ndjson in turn, ${bytes.toFixed(0)} bytes of JSON on average
`;
}
