import { isUtf8 } from 'node:buffer';
import type { TSchema } from 'typebox';
import { messageOf } from '../process/errors.ts';
import { createValidator, type Validator } from '../process/validator.ts';
import type { IncomingEvent } from './broker.ts';
import type { DeadLetter } from './store-or-bury.ts';

/**
 * A batch sorted into what its reader wants and what nobody can read; unknown event types are in
 * neither.
 */
export type ReadBatch<R> = { readable: R[]; letters: DeadLetter[] };

type Fault = Omit<DeadLetter, 'event'>;

/**
 * Reads batches of JSON events of the types that have a schema, each mapped by `map`. An event that
 * cannot be parsed, lacks an eventType, fails its schema (or `check`, which returns a reason) or
 * cannot be mapped becomes a dead letter; unknown types and properties are tolerated and skipped.
 * I11: never throws, so one event never costs its neighbours anything.
 */
export function createEventReader<T, R>(options: {
  schemas: Record<string, TSchema>;
  check: (body: T) => string | undefined;
  map: (body: T, event: IncomingEvent) => R;
}): (events: IncomingEvent[]) => ReadBatch<R> {
  const compiled = new Map(
    [...new Set(Object.values(options.schemas))].map((schema) => [
      schema,
      createValidator(schema) as Validator<T>,
    ]),
  );
  const validators = new Map(
    Object.entries(options.schemas).map(([type, schema]) => [type, compiled.get(schema)]),
  );
  const read = (event: IncomingEvent): { mapped: R } | Fault | undefined => {
    const body = parse(event.value);
    if (body === undefined) return { kind: 'unreadable', reason: 'not valid UTF-8 JSON' };
    const type = (body as { eventType?: unknown } | null)?.eventType;
    if (typeof type !== 'string') return { kind: 'invalid', reason: 'no eventType' };
    const validator = validators.get(type);
    if (validator === undefined) return undefined;
    if (!validator.accepts(body)) {
      const [fault] = validator.faults(body);
      return {
        kind: 'invalid',
        reason: `${type} ${fault?.pointer ?? ''} ${fault?.detail ?? 'is not valid'}`,
      };
    }
    const reason = options.check(body);
    if (reason !== undefined) return { kind: 'invalid', reason };
    return { mapped: options.map(body, event) };
  };
  const readOrFault = (event: IncomingEvent): ReturnType<typeof read> => {
    try {
      return read(event);
    } catch (error) {
      return { kind: 'invalid', reason: `cannot be mapped: ${messageOf(error)}` };
    }
  };
  return (events) => {
    const batch: ReadBatch<R> = { readable: [], letters: [] };
    for (const event of events) {
      const outcome = readOrFault(event);
      if (outcome === undefined) continue;
      if ('mapped' in outcome) batch.readable.push(outcome.mapped);
      else batch.letters.push({ event, ...outcome });
    }
    return batch;
  };
}

function parse(value: Buffer): unknown {
  if (!isUtf8(value)) return undefined;
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}
