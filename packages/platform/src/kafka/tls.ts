import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import Type from 'typebox';
import { ConfigError, secret } from '../process/config.ts';
import { messageOf } from '../process/errors.ts';

/** How to trust a broker, and be trusted by it, over TLS. */
export const kafkaTlsVariables = {
  KAFKA_SSL: Type.Boolean({ default: false, description: 'Encrypt connections to Kafka (TLS)' }),
  KAFKA_SSL_CA_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        "PEM file of who signs the brokers' certificates. Unset: the well-known authorities",
    }),
  ),
  KAFKA_SSL_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'PEM file of the client certificate, where brokers ask for one; needs KAFKA_SSL_KEY_FILE',
    }),
  ),
  KAFKA_SSL_KEY_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'PEM file of the private key of the client certificate',
    }),
  ),
  KAFKA_SSL_KEY_PASSPHRASE: Type.Optional(
    Type.String({
      ...secret,
      minLength: 1,
      description: 'Passphrase of the private key, where it is encrypted',
    }),
  ),
};

type KafkaTlsConfig = {
  KAFKA_BOOTSTRAP_SERVERS: string;
  KAFKA_SSL: boolean;
  KAFKA_SSL_CA_FILE?: string;
  KAFKA_SSL_CERT_FILE?: string;
  KAFKA_SSL_KEY_FILE?: string;
  KAFKA_SSL_KEY_PASSPHRASE?: string;
};

/** The client's options for TLS; none where it is off. */
export type KafkaTls = {
  tls?: ConnectionOptions;
  tlsServerName?: true;
};

/** Reads the files, now. Throws ConfigError with every fault at once, naming variable and file. */
export function kafkaTls(config: KafkaTlsConfig): KafkaTls {
  const ca = config.KAFKA_SSL_CA_FILE;
  const cert = config.KAFKA_SSL_CERT_FILE;
  const key = config.KAFKA_SSL_KEY_FILE;
  const passphrase = config.KAFKA_SSL_KEY_PASSPHRASE;
  if (!config.KAFKA_SSL) {
    const given = Object.keys(kafkaTlsVariables).filter(
      (name) => name !== 'KAFKA_SSL' && name in config,
    );
    if (given.length > 0)
      throw new ConfigError(given.map((name) => `${name} needs KAFKA_SSL=true`));
    return {};
  }
  const faults: string[] = [];
  if ((cert === undefined) !== (key === undefined)) {
    faults.push('KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE need each other');
  }
  // What the files hold would otherwise show only as connections that fail, for ever.
  const attempt = <T>(what: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      faults.push(`${what} cannot be used: ${messageOf(error)}`);
      return undefined;
    }
  };
  const read = (name: string, path: string | undefined): string | undefined =>
    path === undefined ? undefined : attempt(`${name} ${path}`, () => readFileSync(path, 'utf8'));
  const texts = {
    ca: read('KAFKA_SSL_CA_FILE', ca),
    cert: read('KAFKA_SSL_CERT_FILE', cert),
    key: read('KAFKA_SSL_KEY_FILE', key),
  };
  if (texts.ca !== undefined)
    attempt(`KAFKA_SSL_CA_FILE ${ca}`, () => new X509Certificate(texts.ca ?? ''));
  const tls = { ...texts, ...(passphrase !== undefined && { passphrase }) };
  const pair = `KAFKA_SSL_CERT_FILE ${cert} with KAFKA_SSL_KEY_FILE ${key} and its passphrase`;
  if (faults.length === 0) attempt(pair, () => createSecureContext(tls));
  if (faults.length > 0) throw new ConfigError(faults);
  return { tls, ...(hasNames(config.KAFKA_BOOTSTRAP_SERVERS) && { tlsServerName: true }) };
}

/**
 * The client tells a broker its name (SNI) only when asked to, and brokers behind one address need
 * it; an address is no name.
 */
const hasNames = (servers: string): boolean =>
  servers.split(',').every((server) => isIP(hostOf(server)) === 0);
const hostOf = (server: string): string => server.slice(0, server.lastIndexOf(':'));
