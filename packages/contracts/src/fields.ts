import Type from 'typebox';

/**
 * Characters of the BMP without a glyph (Default_Ignorable_Code_Point of Unicode, and the blank
 * Braille pattern). Written out: many programs that read the OpenAPI document know neither `\p{…}`
 * nor ranges above U+FFFF.
 */
const invisible =
  '\\u00AD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B-\\u200F\\u202A-\\u202E' +
  '\\u2060-\\u206F\\u2800\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF0-\\uFFF8';
/** Control characters but tab and line breaks; bidirectional overrides; lone surrogates. */
const harmful =
  '\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F\\u202A-\\u202E\\u2066-\\u2069\\uD800-\\uDFFF';

/**
 * A name, an id or a reason; `max` counts code points. It has a visible character, and none that
 * PostgreSQL or UTF-8 cannot hold (NUL, lone surrogate) or that changes how the text around it is
 * shown (control character, bidirectional override). Tabs and line breaks are kept.
 */
export const VisibleText = (max: number, description: string) =>
  Type.String({
    minLength: 1,
    maxLength: max,
    pattern: `^(?=[\\s\\S]*[^\\s${invisible}])[^${harmful}]*$`,
    'x-fault':
      'must have a visible character, and no control character, bidirectional override or lone surrogate',
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
