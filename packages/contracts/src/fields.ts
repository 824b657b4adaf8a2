import Type from 'typebox';

/**
 * Text that people wrote and PostgreSQL can keep: `max` counts code points; not only white space,
 * no NUL (PostgreSQL's text cannot hold it), no lone surrogate (UTF-8 cannot hold it).
 */
export const VisibleText = (max: number, description: string) =>
  Type.String({
    minLength: 1,
    maxLength: max,
    pattern: '^(?=[\\s\\S]*\\S)[^\\u0000\\uD800-\\uDFFF]*$',
    'x-fault': 'must have a visible character and no NUL or lone surrogate',
    description,
  });

/** A UUID in any version and letter case (RFC 9562). */
export const Uuid = (description: string) =>
  Type.String({
    pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
    'x-fault': 'must be a UUID',
    description,
  });

/** A moment as ISO 8601 text in UTC. */
export const Moment = (description: string) => Type.String({ format: 'date-time', description });

export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
