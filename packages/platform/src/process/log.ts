import pino from 'pino';
import { prettyFactory } from 'pino-pretty';
import { standardOutput } from './standard-output.ts';

export type Log = pino.Logger;

/**
 * Creates a service's log: one JSON line per outcome on standard output, readable lines on a
 * terminal. `service` is left out where several services share the log and each names itself.
 * Handed over at once and never through a worker, so that the last lines before a crash are not
 * lost; a reader that stands still, or a full disk, costs lines (`log_lines_dropped_total`) and
 * never time.
 */
export function createLog(options: {
  service?: string;
  level?: string;
  isTerminal?: boolean;
}): Log {
  const { service, level = 'info', isTerminal = process.stdout.isTTY === true } = options;
  const settings: pino.LoggerOptions = {
    level,
    base: service === undefined ? null : { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  const output = standardOutput();
  if (!isTerminal) return pino(settings, output);
  const pretty = prettyFactory({
    singleLine: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    colorize: true,
  });
  return pino(settings, { write: (line) => output.write(pretty(line)) });
}
