import { Ajv2020 as Ajv, type ErrorObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Static, TSchema } from 'typebox';
import { removeAbsent } from './absent-properties.ts';

/** One fault of a value: where (RFC 6901 pointer) and what. */
export type Fault = { pointer: string; detail: string };

export type Validator<T> = {
  /**
   * Fast yes or no. Changes `value` in two cases: where the validator coerces, and where an
   * optional property is null, which means that it is absent: the property is removed.
   */
  accepts(value: unknown): value is T;
  /** Every fault of the value at once, at most 100; empty when it is valid. */
  faults(value: unknown): Fault[];
};

/** More faults than this help nobody, and a 1 MiB body could have hundreds of thousands. */
const faultsMax = 100;
/** No schema allows an array longer than 1,000: faults of later elements are not reported. */
const elementsReportedMax = 1_001;

/**
 * Compiles a JSON Schema (as TypeBox builds it) into a validator. Lengths count code points.
 * `coerce`: strings become numbers or booleans where the schema asks for them; for query strings
 * and environments only.
 */
export function createValidator<S extends TSchema>(
  schema: S,
  options: { coerce?: boolean } = {},
): Validator<Static<S>> {
  const coerceTypes = options.coerce === true;
  const accepts = compile(schema, { coerceTypes, allErrors: false });
  let explain: ReturnType<typeof compile> | undefined;
  return {
    accepts(value): value is Static<S> {
      if (accepts(value)) return true;
      // Only what fails is searched for nulls, so that good values cost nothing more.
      return removeAbsent(schema, value) && (accepts(value) as boolean);
    },
    faults(value) {
      explain ??= compile(schema, { coerceTypes, allErrors: true });
      removeAbsent(schema, value);
      return explain(cutArrays(value, 4)) ? [] : firstPerPlace(explain.errors ?? []);
    },
  };
}

function compile(schema: TSchema, options: { coerceTypes: boolean; allErrors: boolean }) {
  const ajv = new Ajv({
    ...options,
    removeAdditional: false,
    useDefaults: true,
    strict: false,
    verbose: options.allErrors,
  });
  addFormats.default(ajv);
  ajv.addKeyword({
    keyword: 'x-maxDecimals',
    type: 'number',
    schemaType: 'number',
    validate: hasAtMostDecimals,
  });
  return ajv.compile(schema);
}

/**
 * Whether the number's shortest decimal form has at most `limit` decimals: 19.99 has two.
 * `multipleOf: 0.0001` cannot say this: on binary floats it refuses a quarter of all prices. Exact
 * for magnitudes below 2^52 / 10^limit: the product is off by less than a half, and the quotient of
 * two whole numbers is the binary float next to that decimal (IEEE 754 rounds it correctly).
 */
function hasAtMostDecimals(limit: number, value: number): boolean {
  const scale = 10 ** limit;
  return Math.round(value * scale) / scale === value;
}

/**
 * One mistake may break two rules of a schema (an empty text is short and has no visible
 * character): the first is reported.
 */
function firstPerPlace(errors: ErrorObject[]): Fault[] {
  const byPointer = new Map<string, Fault>();
  for (const error of errors) {
    const fault = toFault(error);
    if (!byPointer.has(fault.pointer)) byPointer.set(fault.pointer, fault);
    if (byPointer.size === faultsMax) break;
  }
  return [...byPointer.values()];
}

function toFault(error: ErrorObject): Fault {
  const named = error.params.missingProperty ?? error.params.additionalProperty;
  const pointer =
    named === undefined
      ? error.instancePath
      : `${error.instancePath}/${escapePointer(String(named))}`;
  return { pointer, detail: describe(error) };
}

function describe(error: ErrorObject): string {
  if (error.keyword === 'required') return 'is required';
  if (error.keyword === 'additionalProperties') return 'is not a known property';
  if (error.keyword === 'x-maxDecimals')
    return `must have at most ${error.schema} decimals: round it to ${error.schema} decimals before sending`;
  if (error.keyword === 'enum') return `must be one of ${(error.schema as unknown[]).join(', ')}`;
  if (error.keyword === 'const') return `must be ${error.schema}`;
  const limit = error.params.limit as number | undefined;
  const plural = limit === 1 ? '' : 's';
  switch (error.keyword) {
    case 'type':
      return `must be ${[error.schema].flat().map(withArticle).join(' or ')}`;
    case 'minLength':
      return `must have at least ${limit} character${plural}`;
    case 'maxLength':
      return `must not be longer than ${limit} character${plural}`;
    case 'minItems':
      return `must have at least ${limit} element${plural}`;
    case 'maxItems':
      return `must have at most ${limit} element${plural}`;
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'format':
      return formatFaults[String(error.schema)] ?? `must have the format ${error.schema}`;
  }
  const ownWords = (error.parentSchema as Record<string, unknown> | undefined)?.['x-fault'];
  return error.keyword === 'pattern' && typeof ownWords === 'string'
    ? ownWords
    : (error.message ?? 'is not valid');
}

/** In an address a plus sign stands for a blank, so an offset that is not encoded gets lost. */
const formatFaults: Record<string, string> = {
  'date-time': 'must be a time such as 2026-01-20T21:09:00Z (in an address write %2B for +)',
  uuid: 'must be a UUID',
};

const withArticle = (type: unknown): string =>
  type === 'null' ? 'null' : `${/^[aeiou]/.test(String(type)) ? 'an' : 'a'} ${type}`;

const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

function cutArrays(value: unknown, depth: number): unknown {
  if (depth === 0 || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value))
    return value.slice(0, elementsReportedMax).map((element) => cutArrays(element, depth - 1));
  if (!Object.values(value).some((v) => Array.isArray(v))) return value;
  // fromEntries defines own properties, so a "__proto__" key stays a property that the schema can
  // refuse.
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [key, cutArrays(v, depth - 1)]),
  );
}
