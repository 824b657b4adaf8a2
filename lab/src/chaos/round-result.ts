import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FaultFigures } from './attribution.ts';
import type { Mode } from './fault-kinds.ts';

/** What an audit said: `clean`, or the findings that it names. */
export type AuditVerdict = 'clean' | string[];

/** A line of the results file. */
export type RoundResult = {
  mode: Mode;
  seed: number;
  at: string;
  commit: string;
  behindProxies: boolean;
  honoursKeys: boolean;
  /** One instance whose wall clock is wrong. */
  clock?: { part: string; aheadSeconds: number } | undefined;
  /** Requests to cancel that were taken, and orders that are Cancelled. */
  cancels?: number;
  cancelled?: number;
  /** Orders that operators retried, and gave verdicts on. */
  retries?: number;
  verdicts?: number;
  ordersPerSecond: number;
  /** Of the faults under load; starting and ending the system not counted. */
  seconds: number;
  drainSeconds: number;
  sent: number;
  accepted: number;
  orders: number;
  lost: number;
  doubled: number;
  stuck: number;
  /**
   * Whatever else does not add up: orphans, statuses that went back, keyed orders that were never
   * accepted.
   */
  otherwise: number;
  audit: AuditVerdict;
  faults: FaultFigures[];
};

/** Nothing lost, doubled, stuck or wrong otherwise. */
export const isGreen = ({ lost, doubled, stuck, otherwise, audit }: RoundResult): boolean =>
  lost + doubled + stuck + otherwise === 0 && audit === 'clean';

/**
 * All rounds of the file, of both modes; none where there is no file. @throws where a line is no
 * round
 */
export async function readResults(file: string): Promise<RoundResult[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RoundResult);
}

export async function appendResult(file: string, result: RoundResult): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await appendFile(file, `${JSON.stringify(result)}\n`);
}
