/** What is read here of a JSON Schema. */
type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
  oneOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
};

/**
 * Removes every optional property whose value is null although its schema does not allow null: many
 * serialisers write null for what they do not have. True where it removed any. The depth is bounded
 * by the schema, which must not contain itself.
 */
export function removeAbsent(schema: object, value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  const { properties, required = [], items, anyOf = [], allOf = [], oneOf = [] } = schema as Schema;
  let isChanged = false;
  for (const part of [...anyOf, ...allOf, ...oneOf])
    isChanged = removeAbsent(part, value) || isChanged;
  if (Array.isArray(value)) {
    if (items === undefined) return isChanged;
    for (const element of value) isChanged = removeAbsent(items, element) || isChanged;
    return isChanged;
  }
  const object = value as Record<string, unknown>;
  for (const [name, property] of Object.entries(properties ?? {})) {
    if (!Object.hasOwn(object, name)) continue;
    if (object[name] === null && !required.includes(name) && !allowsNull(property)) {
      delete object[name];
      isChanged = true;
    } else isChanged = removeAbsent(property, object[name]) || isChanged;
  }
  return isChanged;
}

function allowsNull(schema: Schema): boolean {
  const { type, anyOf, oneOf, allOf } = schema;
  if (schema.enum !== undefined) return schema.enum.includes(null);
  if ('const' in schema) return schema.const === null;
  if (type !== undefined) return [type].flat().includes('null');
  if (allOf !== undefined) return allOf.every(allowsNull);
  const either = anyOf ?? oneOf;
  return either === undefined || either.some(allowsNull);
}
