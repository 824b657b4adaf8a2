import { isUtf8 } from 'node:buffer';
import type { TSchema } from 'typebox';
import { createValidator, type Validator } from '../process/validator.ts';
import type { IncomingEvent } from './broker.ts';
import type { DeadLetter } from './store-or-bury.ts';

/**
 * A batch sorted into what its reader wants and what nobody can read; unknown event types are in
 * neither.
 */
export type ReadBatch<T> = { readable: { body: T; event: IncomingEvent }[]; letters: DeadLetter[] };

type Fault = Omit<DeadLetter, 'event'>;

/**
 * Reads batches of JSON events of the types that have a schema. What cannot be parsed, lacks an
 * eventType or fails its schema (or `check`, which returns a reason) becomes a dead letter; unknown
 * types and properties are tolerated and skipped.
 */
export function createEventReader<T>(options: {
  schemas: Record<string, TSchema>;
  check?: (body: T) => string | undefined;
}): (events: IncomingEvent[]) => ReadBatch<T> {
  const compiled = new Map(
    [...new Set(Object.values(options.schemas))].map((schema) => [
      schema,
      createValidator(schema) as Validator<T>,
    ]),
  );
  const validators = new Map(
    Object.entries(options.schemas).map(([type, schema]) => [type, compiled.get(schema)]),
  );
  const read = (event: IncomingEvent): { body: T } | Fault | undefined => {
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
    const reason = options.check?.(body);
    return reason === undefined ? { body } : { kind: 'invalid', reason };
  };
  return (events) => {
    const batch: ReadBatch<T> = { readable: [], letters: [] };
    for (const event of events) {
      const outcome = read(event);
      if (outcome === undefined) continue;
      if ('body' in outcome) batch.readable.push({ body: outcome.body, event });
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
