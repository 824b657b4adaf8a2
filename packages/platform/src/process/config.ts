import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Static, TObject, TSchema } from 'typebox';
import { messageOf } from './errors.ts';
import { createValidator } from './validator.ts';

/** A configuration with faults; `faults` names each variable. */
export class ConfigError extends Error {
  readonly faults: string[];
  constructor(faults: string[]) {
    super(
      `The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/**
 * Option of a schema: a variable that is never printed, and that may also stand in a file:
 * `NAME_FILE` names it (one line break at its end is no part of it).
 */
export const secret = { 'x-secret': true } as const;
export const isSecret = (schema: TSchema): boolean => 'x-secret' in schema;

/**
 * Reads `.env` of the working directory into process.env where it exists; variables that are set
 * win. Returns the names it set. @throws ConfigError where the file is not text in UTF-8
 */
export function loadEnvFile(): Set<string> {
  if (!existsSync('.env')) return new Set();
  const text = readEnvFile('.env');
  const cut = cutNames(text);
  if (cut.length > 0)
    throw new ConfigError(cut.map((name) => `${name} in .env has a # in it: ${quoteIt}`));
  const values = Object.entries(parseEnv(text));
  const unset = values.filter(([name]) => process.env[name] === undefined);
  for (const [name, value] of unset) process.env[name] = value;
  return new Set(unset.map(([name]) => name));
}

const quoteIt = 'put the value in single quotes, or it ends there';

/** Where a value without quotes has a #, Node drops the rest of it in silence; Docker keeps it. */
const cutNames = (text: string): string[] =>
  [...text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*[^\s'"`#][^\n#]*?(?<=\S)#/gm)].map(
    ([, name = '']) => name,
  );

/** Without the byte order mark, which would become a part of the first name. */
function readEnvFile(path: string): string {
  const bytes = readFileSync(path);
  // PowerShell writes UTF-16, with a NUL in each character of the usual letters.
  if (!isUtf8(bytes) || bytes.includes(0))
    throw new ConfigError([`${path} is not text in UTF-8; save it again as UTF-8`]);
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

/**
 * What the environment and the files of its secrets say, still as text, with where each value is
 * from.
 */
export function gather(schema: TObject, env: NodeJS.ProcessEnv) {
  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  const faults: string[] = [];
  for (const [name, variable] of Object.entries<TSchema>(schema.properties)) {
    const given = isGiven(env[name]) ? { value: env[name], source: name } : undefined;
    const file = isSecret(variable) ? env[`${name}_FILE`] : undefined;
    if (given && isGiven(file)) faults.push(`${name} and ${name}_FILE are both set`);
    const found = given ?? (isGiven(file) ? readSecret(`${name}_FILE`, file) : undefined);
    if (found === undefined) continue;
    if ('fault' in found) faults.push(found.fault);
    else {
      values[name] = found.value;
      sources[name] = found.source;
    }
  }
  return { values, sources, faults };
}

const isGiven = (text: string | undefined): text is string => text !== undefined && text !== '';

function readSecret(
  name: string,
  path: string,
): { value: string; source: string } | { fault: string } {
  try {
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    return value === ''
      ? { fault: `${name} ${path} is empty` }
      : { value, source: `${name} ${path}` };
  } catch (error) {
    return { fault: `${name} ${path} cannot be read: ${messageOf(error)}` };
  }
}

/**
 * Rules that no schema can say; each fault names its variables. Values may be missing or of the
 * wrong type.
 */
export type ConfigRules<C> = (config: Partial<C>) => string[];

/**
 * Picks the schema's variables out of the environment, as numbers and booleans where the schema
 * says so, with its defaults. An empty variable counts as unset. Throws ConfigError with every
 * fault at once, those of `rules` included.
 */
export function readConfig<S extends TObject>(
  schema: S,
  env: NodeJS.ProcessEnv,
  rules: ConfigRules<Static<S>> = () => [],
): Static<S> {
  const { values, faults: unread } = gather(schema, env);
  // Before the defaults come in: some profiles do not take them.
  const refused = rules({ ...values } as Partial<Static<S>>);
  const invalid = createValidator(schema, { coerce: true }).faults(values);
  const told = new Set(unread.map((fault) => fault.split(/_FILE | /, 1)[0]));
  const faults = [
    ...unread,
    ...invalid
      .map(({ pointer, detail }) => ({ name: pointer.slice(1), detail }))
      // Whose file cannot be read is not missing as well.
      .filter(({ name }) => !told.has(name))
      .map(({ name, detail }) => `${name} ${detail}`),
    ...refused,
  ];
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(values) as Static<S>;
}
