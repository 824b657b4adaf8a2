import Type from 'typebox';

/** Variables that every service reads. */
export const commonVariables = {
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description: 'Address to listen on; containers set 0.0.0.0',
  }),
  LOG_LEVEL: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
    description: 'Least severe log lines to write',
  }),
};

export const portVariable = (port: number, of: string) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: port,
    description: `Port of ${of}; 0 takes any free port`,
  });

/** `more`: connections that the process takes beside these, whatever the variable says. */
export const connectionsVariable = (of: string, more: number) =>
  Type.Integer({
    minimum: 2,
    maximum: 100,
    default: 6,
    description: `Connections of one ${of} process to its database for events and operators; ${more} more serve the rest`,
  });

export const stuckAfterVariable = Type.Number({
  minimum: 1,
  maximum: 86_400,
  default: 60,
  description:
    'An order that nobody has picked up for this long counts as stuck; the deadlines of the other states are multiples of it',
});

const usualDrainSeconds = 5;

/** How a service treats the connections of its callers. */
export const callerVariables = {
  KEEP_ALIVE_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 3_600,
    default: 75,
    description:
      'An idle connection is kept open this long; longer than a proxy in front keeps it, or the proxy sends requests into closing ones (502)',
  }),
  DRAIN_SECONDS: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 300,
      description:
        'After SIGTERM the port still answers for this long while /health/ready says 503, so that a load balancer looks elsewhere first. Unset: 5, in local 0',
    }),
  ),
};

/** How long a service that is asked to end still answers, in seconds. */
export const drainSeconds = (config: { PROFILE?: string; DRAIN_SECONDS?: number }): number =>
  config.DRAIN_SECONDS ?? ((config.PROFILE ?? 'local') === 'local' ? 0 : usualDrainSeconds);
