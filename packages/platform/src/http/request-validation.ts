import type { FastifyRequest, FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { CodedError, type FaultPlace } from '../process/errors.ts';
import { createValidator, type Fault, type Validator } from '../process/validator.ts';

/** In the order in which Fastify looks at them; it stops at the first that is not valid. */
const parts = ['params', 'body', 'querystring', 'headers'] as const;
type Part = (typeof parts)[number];

/** A part of a request that fails its schema. */
class InvalidPart extends Error {
  readonly part: Part;
  readonly faults: Fault[];
  constructor(part: Part, faults: Fault[]) {
    super(`invalid ${part}`);
    this.part = part;
    this.faults = faults;
  }
}

/**
 * How requests are checked: bodies as they are, the other parts with their text turned into what
 * the schema asks for. `toError` makes one 400 of a failed part and of those behind it, so that
 * every fault of a request is told at once.
 */
export function createRequestValidation() {
  const validators = new WeakMap<object, Validator<unknown>>();
  const validatorOf = (schema: object, part: Part): Validator<unknown> => {
    const known =
      validators.get(schema) ?? createValidator(schema as TSchema, { coerce: part !== 'body' });
    validators.set(schema, known);
    return known;
  };
  const compiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
    const part = httpPart as Part;
    const validator = validatorOf(schema, part);
    return (value: unknown) =>
      validator.accepts(value)
        ? { value }
        : { error: new InvalidPart(part, validator.faults(value)) };
  };
  const toError = (error: Error, request: FastifyRequest): Error => {
    if (!(error instanceof InvalidPart)) return error;
    const behind = parts.slice(parts.indexOf(error.part) + 1).flatMap((part) => {
      const schema = request.routeOptions.schema?.[part];
      if (schema === undefined || schema === null) return [];
      const value = {
        params: request.params,
        body: request.body,
        querystring: request.query,
        headers: request.headers,
      };
      return validatorOf(schema, part)
        .faults(value[part])
        .map((fault) => placeOf(fault, part));
    });
    return validationError([...error.faults.map((fault) => placeOf(fault, error.part)), ...behind]);
  };
  return { compiler, toError };
}

/** A fault of a query parameter that only the handler could find. */
export const parameterError = (parameter: string, detail: string): CodedError =>
  validationError([{ parameter, detail }]);

/** A fault of the body that only the handler could find, at an RFC 6901 pointer. */
export const bodyError = (pointer: string, detail: string): CodedError =>
  validationError([{ pointer, detail }]);

const placeOf = ({ pointer, detail }: Fault, part: Part): FaultPlace =>
  part === 'body' ? { pointer, detail } : { parameter: pointer.slice(1), detail };

function validationError(errors: FaultPlace[]): CodedError {
  const [first] = errors;
  const where = first === undefined ? '' : 'pointer' in first ? first.pointer : first.parameter;
  const more = errors.length <= 1 ? '' : ` and ${errors.length - 1} more fault(s)`;
  const detail = `${where === '' ? 'the value' : where}: ${first?.detail ?? 'is not valid'}${more}`;
  return new CodedError('validation_failed', detail, { errors });
}
