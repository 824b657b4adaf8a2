import { existsSync } from 'node:fs';
import {
  newApiKey,
  readApiKeys,
  type Scope,
  scopes,
  writeApiKeys,
} from '@orders/platform/http/api-keys';
import { CommandLineError, runCommand } from '@orders/platform/process/command-line';
import { ConfigError, loadEnvFile } from '@orders/platform/process/config';

/**
 * `npm run keys -- create | list | revoke`: keeps the file of API keys, which running services read
 * again by themselves.
 */
const usage = `Usage: npm run keys -- create --name NAME --scopes ${scopes.join(',')}
       npm run keys -- list
       npm run keys -- revoke ID
  --file FILE   the file of keys; without it API_KEYS_FILE says which
`;

const text = { type: 'string' } as const;
const options = { name: text, scopes: text, file: text };

try {
  loadEnvFile();
  await runCommand({ usage, options, allowPositionals: true }, run);
} catch (error) {
  const isOurs = error instanceof ConfigError || (error instanceof Error && 'code' in error);
  if (!isOurs) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

type Words = { values: { [name in keyof typeof options]?: string }; positionals: string[] };

async function run({ values, positionals }: Words): Promise<number> {
  const [command, id] = positionals;
  const file = values.file ?? process.env.API_KEYS_FILE;
  if (file === undefined)
    throw new CommandLineError('Say which file: --file FILE, or set API_KEYS_FILE.');
  if (command === 'create') return await create(file, values.name, values.scopes);
  if (command === 'list') return list(file);
  if (command === 'revoke' && id !== undefined) return await revoke(file, id);
  throw new CommandLineError('Say create, list or revoke ID.');
}

async function create(file: string, name = '', wanted = ''): Promise<number> {
  const of = wanted
    .split(',')
    .filter((scope): scope is Scope => (scopes as readonly string[]).includes(scope));
  if (name === '' || of.length === 0 || of.length !== wanted.split(',').length)
    throw new CommandLineError(`Say --name NAME and --scopes, some of ${scopes.join(', ')}.`);
  const keys = existsSync(file) ? readApiKeys(file) : [];
  const { key, entry } = newApiKey(name, of);
  await writeApiKeys(file, [...keys, entry]);
  process.stdout.write(`${key}\n`);
  process.stderr.write(
    `Key ${entry.id} (${name}: ${of.join(', ')}) is in ${file}. It is shown only now.\n`,
  );
  return 0;
}

function list(file: string): number {
  for (const { id, name, scopes: of, createdAt, revokedAt } of readApiKeys(file)) {
    process.stdout.write(
      `${id}  ${createdAt}  ${revokedAt === null ? 'active ' : 'revoked'}  ${of.join(',')}  ${name}\n`,
    );
  }
  return 0;
}

async function revoke(file: string, id: string): Promise<number> {
  const keys = readApiKeys(file);
  const key = keys.find((one) => one.id === id);
  if (key === undefined) throw new CommandLineError(`${file} has no key ${id}.`);
  key.revokedAt ??= new Date().toISOString();
  await writeApiKeys(file, keys);
  process.stderr.write(`Key ${id} is revoked; running services refuse it within two seconds.\n`);
  return 0;
}
