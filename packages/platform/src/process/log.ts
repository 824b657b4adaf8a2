import pino from 'pino';
import pretty from 'pino-pretty';

export type Log = pino.Logger;

/**
 * Creates a service's log: one JSON line per outcome on standard output, readable lines on a
 * terminal. `service` is left out where several services share the log and each names itself.
 * Written synchronously and never through a worker, so that the last lines before a crash are not
 * lost.
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
  if (!isTerminal) return pino(settings, pino.destination({ dest: 1, sync: true }));
  return pino(
    settings,
    pretty({
      sync: true,
      singleLine: true,
      ignore: 'pid,hostname',
      translateTime: 'SYS:HH:MM:ss.l',
    }),
  );
}
