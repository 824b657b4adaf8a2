import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../process/config.ts';
import { messageOf } from '../process/errors.ts';

/** Certificate and key to serve HTTPS with, as PEM. */
export type ServerTls = { cert: string; key: string };

/**
 * Reads both files, now; undefined where neither is set. Throws ConfigError naming variable and
 * file.
 */
export function serverTls(config: {
  TLS_CERT_FILE?: string;
  TLS_KEY_FILE?: string;
}): ServerTls | undefined {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = config;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigError(['TLS_CERT_FILE and TLS_KEY_FILE need each other']);
  }
  try {
    const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
    createSecureContext(tls);
    return tls;
  } catch (error) {
    throw new ConfigError([
      `TLS_CERT_FILE ${certFile} with TLS_KEY_FILE ${keyFile} cannot be used: ${messageOf(error)}`,
    ]);
  }
}
