import { existsSync } from 'node:fs';
import type { Static, TObject } from 'typebox';
import { createValidator } from './validator.ts';

/** A configuration with faults; `faults` names each variable. */
export class ConfigError extends Error {
  readonly faults: string[];
  constructor(faults: string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Reads `.env` of the working directory into process.env where it exists; variables that are set win. */
export function loadEnvFile(): void {
  if (existsSync('.env')) process.loadEnvFile('.env');
}

/**
 * Picks the schema's variables out of the environment, as numbers and booleans where the schema says so, with its defaults.
 * An empty variable counts as unset. Throws ConfigError with every fault at once.
 */
export function readConfig<S extends TObject>(schema: S, env: NodeJS.ProcessEnv): Static<S> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    if (env[name] !== undefined && env[name] !== '') values[name] = env[name];
  }
  const validator = createValidator(schema, { coerce: true });
  const faults = validator.faults(values);
  if (faults.length > 0) throw new ConfigError(faults.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`));
  return Object.freeze(values) as Static<S>;
}
