import { sendSignal } from '../processes/process-table.ts';

/**
 * Fast shutdown writes a checkpoint, which a slow disk may take long over; cutting it short costs a
 * recovery, not data.
 */
const fastShutdownMs = 30_000;
const immediateShutdownMs = 5_000;
const killedWithinMs = 5_000;

/**
 * Ends a PostgreSQL server: fast shutdown, then immediate, then SIGKILL of its whole group. `gone`
 * waits that many ms for the end and tells whether it came; so does the result, after 40 s at the
 * latest.
 */
export async function shutDownServer(
  pid: number,
  gone: (withinMs: number) => Promise<boolean>,
): Promise<boolean> {
  if (!(await gone(0))) {
    sendSignal(pid, 'SIGINT');
    if (!(await gone(fastShutdownMs))) {
      sendSignal(pid, 'SIGQUIT');
      await gone(immediateShutdownMs);
    }
  }
  // Backends are in the server's group and outlive a server that was killed; after an orderly end
  // this finds nobody.
  sendSignal(-pid, 'SIGKILL');
  return gone(killedWithinMs);
}
