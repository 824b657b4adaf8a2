import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, unwatchFile, watchFile } from 'node:fs';
import { chmod, chown, rename, stat, writeFile } from 'node:fs/promises';
import Type, { type Static } from 'typebox';
import { ConfigError } from '../process/config.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createValidator } from '../process/validator.ts';

export const scopes = ['orders:write', 'orders:read', 'operate'] as const;
export type Scope = (typeof scopes)[number];

const ApiKey = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{12}$' }),
  name: Type.String({ minLength: 1 }),
  /** SHA-256 of the secret, in hex. */
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  scopes: Type.Array(Type.Enum([...scopes])),
  createdAt: Type.String(),
  revokedAt: Type.Union([Type.String(), Type.Null()]),
});
export type ApiKey = Static<typeof ApiKey>;
const KeyFile = createValidator(Type.Array(ApiKey, { maxItems: 1_000 }));

const secretBytes = 32;
/** How often the file is looked at: a revoked key ends within this and a moment. */
const watchMs = 1_000;

/**
 * A new key, `opk_<id>_<secret>`, which is shown once, and what the file keeps of it. The secret
 * has 256 random bits, so its plain SHA-256 cannot be guessed back, unlike a person's password,
 * which needs a slow hash (OWASP Password Storage Cheat Sheet).
 */
export function newApiKey(name: string, of: Scope[]): { key: string; entry: ApiKey } {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(secretBytes).toString('base64url');
  const entry = {
    id,
    name,
    hash: hash('sha256', secret),
    scopes: of,
    createdAt: new Date().toISOString(),
    revokedAt: null,
  };
  return { key: `opk_${id}_${secret}`, entry };
}

/** The keys of a file. Throws ConfigError where it cannot be read or is no file of keys. */
export function readApiKeys(path: string): ApiKey[] {
  let keys: unknown;
  try {
    keys = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError([`API_KEYS_FILE ${path} cannot be read: ${messageOf(error)}`]);
  }
  if (KeyFile.accepts(keys)) return keys;
  const [fault] = KeyFile.faults(keys);
  throw new ConfigError([
    `API_KEYS_FILE ${path} is no file of keys: ${fault?.pointer} ${fault?.detail}`,
  ]);
}

/**
 * Replaces the file at once: a reader sees the old keys or the new ones. A new file is for its
 * owner only; one that is replaced keeps owner and mode, or a service under another user could not
 * read that a key is revoked.
 */
export async function writeApiKeys(path: string, keys: ApiKey[]): Promise<void> {
  const next = `${path}.${process.pid}`;
  await writeFile(next, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flush: true });
  if (existsSync(path)) {
    const { uid, gid, mode } = await stat(path);
    await chown(next, uid, gid);
    await chmod(next, mode);
  }
  await rename(next, path);
}

/**
 * Makes a file with one key of every scope; the key itself goes to `<path>.key`, for its owner
 * only. For dev and test.
 */
export async function generateApiKey(path: string, log: Log): Promise<void> {
  const { key, entry } = newApiKey('generated', [...scopes]);
  await writeFile(`${path}.key`, `${key}\n`, { mode: 0o600 });
  await writeApiKeys(path, [entry]);
  log.warn({ part: 'access', file: `${path}.key` }, 'an API key was generated, it is in this file');
}

export type ApiKeys = {
  /** The key of an Authorization header, or undefined where it is missing, unknown or revoked. */
  find(authorization: string | undefined): ApiKey | undefined;
  /** Whether the key with this id is still good; for answers that take long. */
  has(id: string): boolean;
  close(): void;
};

/** Who an unknown id is compared with, so that it takes as long as a known one. */
const nobody = '0'.repeat(64);

/**
 * The keys of a file, read again when it changes; a change that cannot be read is logged and the
 * keys stay as they were. Throws ConfigError where the file cannot be used at the start.
 */
export function openApiKeys(path: string, log: Log): ApiKeys {
  let byId = index(readApiKeys(path));
  const reload = (): void => {
    try {
      const keys = readApiKeys(path);
      byId = index(keys);
      log.info({ part: 'access', keys: byId.size }, 'API keys read again');
    } catch (error) {
      log.error(
        { part: 'access', err: messageOf(error) },
        'API keys not read again, the old ones hold',
      );
    }
  };
  watchFile(path, { interval: watchMs, persistent: false }, reload);
  return {
    find(authorization) {
      const [, id = '', secret = ''] =
        /^Bearer +opk_([0-9a-f]{12})_([\w-]{43})$/i.exec(authorization ?? '') ?? [];
      const key = byId.get(id);
      const isRight = timingSafeEqual(
        Buffer.from(hash('sha256', secret)),
        Buffer.from(key?.hash ?? nobody),
      );
      return isRight ? key : undefined;
    },
    has: (id) => byId.has(id),
    close: () => unwatchFile(path, reload),
  };
}

const index = (keys: ApiKey[]): Map<string, ApiKey> =>
  new Map(keys.filter(({ revokedAt }) => revokedAt === null).map((key) => [key.id, key]));
