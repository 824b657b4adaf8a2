import { isIP } from 'node:net';
import Type from 'typebox';
import { secret } from './config.ts';

/** What a service is run for; everything but `local` refuses insecure settings. */
export const profileVariable = {
  PROFILE: Type.Enum(['local', 'dev', 'test', 'prod'], {
    default: 'local',
    description:
      'local: for one person on one machine, no keys needed. prod: refuses insecure settings. dev, test: as prod, but the mock provider, a generated API key and plain Kafka are allowed',
  }),
};

const databaseUrlFault = 'must be a URL: postgres://user:password@host/database';

/** Who may come in, and how: read by both services. */
export const entranceVariables = {
  ...profileVariable,
  API_KEYS_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'File of API keys (npm run keys); read again when it changes. Unset: no keys are asked for',
    }),
  ),
  RATE_LIMIT_PER_SECOND: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description:
        'Requests a second that each instance takes from one API key, or from one address where no keys are asked for; 0: any. Unset: 100, in local any',
    }),
  ),
  CORS_ORIGINS: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s,/]+(,https?://[^\\s,/]+)*$',
      'x-fault': 'must be origins such as https://shop.example, with commas between them',
      description: 'Origins whose pages may call the API from a browser. Unset: none',
    }),
  ),
  TRUST_PROXY: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Addresses or networks (CIDR) of proxies in front, with commas between them: the address of a caller is then what they say',
    }),
  ),
  TLS_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'PEM file of the certificate to serve HTTPS with; needs TLS_KEY_FILE',
    }),
  ),
  TLS_KEY_FILE: Type.Optional(
    Type.String({ minLength: 1, description: 'PEM file of the private key of the certificate' }),
  ),
  TLS_ENDS_IN_FRONT: Type.Boolean({
    default: false,
    description: 'States that a proxy in front speaks TLS and that nobody else can reach the port',
  }),
  PLAINTEXT_ACCEPTED: Type.Optional(
    Type.String({
      pattern: '^(kafka|database|shipping)(,(kafka|database|shipping))*$',
      'x-fault': 'must be some of kafka, database, shipping with commas between them',
      description:
        'Connections that may go unencrypted although PROFILE is not local: kafka, database, shipping',
    }),
  ),
};

export const databaseUrlVariable = (of: string) =>
  Type.String({
    ...secret,
    pattern: '^postgres(ql)?:',
    'x-fault': databaseUrlFault,
    description: `PostgreSQL of the ${of}: postgres://user:password@host/database`,
  });

type Entrance = {
  PROFILE: string;
  API_KEYS_FILE: string;
  TLS_CERT_FILE: string;
  TLS_KEY_FILE: string;
  TLS_ENDS_IN_FRONT: boolean | string;
  PLAINTEXT_ACCEPTED: string;
  TRUST_PROXY: string;
};

const isLocal = (config: { PROFILE?: string }): boolean => (config.PROFILE ?? 'local') === 'local';
const isProd = (config: { PROFILE?: string }): boolean => config.PROFILE === 'prod';
const accepts = (config: { PLAINTEXT_ACCEPTED?: string }, what: string): boolean =>
  config.PLAINTEXT_ACCEPTED?.split(',').includes(what) === true;

/** What a service's own door must be like; most of it is demanded by a profile other than local. */
export function entranceFaults(config: Partial<Entrance>): string[] {
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, TRUST_PROXY: proxies } = config;
  const faults: string[] = [];
  if ((cert === undefined) !== (key === undefined))
    faults.push('TLS_CERT_FILE and TLS_KEY_FILE need each other');
  if (proxies !== undefined && !proxies.split(',').every(isNetwork)) {
    faults.push(
      'TRUST_PROXY must be addresses or networks such as 10.0.0.0/8 with commas between them, not all addresses',
    );
  }
  if (isLocal(config)) return faults;
  if (config.API_KEYS_FILE === undefined)
    faults.push('API_KEYS_FILE must be set: npm run keys -- create makes one');
  if (cert === undefined && key === undefined && String(config.TLS_ENDS_IN_FRONT) !== 'true') {
    faults.push(
      'TLS_CERT_FILE and TLS_KEY_FILE must be set, or TLS_ENDS_IN_FRONT=true where a proxy speaks TLS',
    );
  }
  return faults;
}

/** Where everybody is a trusted proxy, everybody chooses the address that the rate limit counts. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.trim().split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return (
    bits === undefined ||
    (/^\d{1,3}$/.test(bits) && Number(bits) > 0 && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

/** Passwords that stand in examples and default set-ups. */
const knownPasswords = [
  'postgres',
  'password',
  'secret',
  'admin',
  'root',
  'test',
  'example',
  'orders',
  'fulfillment',
];

/**
 * What a database URL must be like; most of it is demanded by a profile other than local. Never
 * tells the password.
 */
export function databaseFaults(name: string, url: unknown, config: Partial<Entrance>): string[] {
  // Of another scheme, or missing: the schema says so.
  if (typeof url !== 'string' || !/^postgres(ql)?:/.test(url)) return [];
  const parsed = parseDatabaseUrl(url);
  if (parsed === undefined)
    return [`${name} ${databaseUrlFault}; special characters in it stand as %XX`];
  if (isLocal(config)) return [];
  const { user, password, host, sslMode } = parsed;
  const faults: string[] = [];
  const isKnown =
    knownPasswords.includes(password.toLowerCase()) ||
    password === user ||
    /^change[-_ ]?me/i.test(password);
  if (password === '') faults.push(`${name} has no password`);
  else if (isKnown) faults.push(`${name} has a password that anybody would guess`);
  // Other modes take a certificate that anybody could have made, or go without.
  if (sslMode !== 'verify-full' && !isLoopback(host) && !accepts(config, 'database')) {
    faults.push(`${name} must have sslmode=verify-full, or PLAINTEXT_ACCEPTED must name database`);
  }
  return faults;
}

function parseDatabaseUrl(url: string) {
  try {
    const { username, password, hostname, searchParams, pathname, search, hash } = new URL(url);
    // A / or # in a password makes its rest a path: another host would be called.
    if (`${pathname}${search}${hash}`.includes('@') || hash !== '') return undefined;
    return {
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      host: searchParams.get('host') ?? hostname,
      sslMode: searchParams.get('sslmode'),
    };
  } catch {
    return undefined; // the error would quote the password
  }
}

/** What prod demands of the connection to Kafka. */
export function kafkaFaults(
  config: Partial<Entrance> & { KAFKA_SSL?: boolean | string; KAFKA_SASL_MECHANISM?: string },
): string[] {
  if (!isProd(config) || accepts(config, 'kafka') || String(config.KAFKA_SSL) === 'true') return [];
  if (config.KAFKA_SASL_MECHANISM === 'PLAIN') {
    return [
      'KAFKA_SASL_MECHANISM PLAIN sends the password readable: set KAFKA_SSL, or PLAINTEXT_ACCEPTED must name kafka',
    ];
  }
  if (config.KAFKA_SASL_MECHANISM !== undefined) return [];
  return ['KAFKA_SSL or KAFKA_SASL_MECHANISM must be set, or PLAINTEXT_ACCEPTED must name kafka'];
}

/**
 * What every profile demands of the provider's address, and prod of the provider: a real one,
 * named, over TLS. No fault repeats the address, which may hold a password.
 */
export function shippingFaults(config: Partial<Entrance>, url: unknown): string[] {
  return [...addressFaults(url), ...providerFaults(config, url)];
}

function addressFaults(url: unknown): string[] {
  if (typeof url !== 'string' || !/^https?:\/\//i.test(url)) return [];
  if (!URL.canParse(url)) return ['SHIPPING_BASE_URL is no address'];
  const { username, password, search, hash } = new URL(url);
  const faults: string[] = [];
  if (username !== '' || password !== '')
    faults.push('must have no user name and password: set SHIPPING_AUTHORIZATION');
  if (search !== '' || url.includes('?')) faults.push('must have no query (?)');
  if (hash !== '' || url.includes('#')) faults.push('must have no fragment (#)');
  return faults.map((fault) => `SHIPPING_BASE_URL ${fault}`);
}

function providerFaults(config: Partial<Entrance>, url: unknown): string[] {
  if (!isProd(config)) return [];
  if (typeof url !== 'string')
    return ['SHIPPING_BASE_URL must be set: the mock provider is not for prod'];
  const isPlain = !/^https:\/\//i.test(url);
  return isPlain && !accepts(config, 'shipping')
    ? ['SHIPPING_BASE_URL must begin with https://, or PLAINTEXT_ACCEPTED must name shipping']
    : [];
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return (
    bare === 'localhost' ||
    bare === '::1' ||
    bare === '' ||
    bare.startsWith('/') ||
    (isIP(bare) === 4 && bare.startsWith('127.'))
  );
}
