import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = join(import.meta.dirname, '../../../packages/platform/test/kit');

/**
 * Files of a certificate for 127.0.0.1 that signs itself, for a service under test to serve HTTPS
 * with.
 */
export const localhostTls = {
  TLS_CERT_FILE: join(directory, 'localhost-certificate.pem'),
  TLS_KEY_FILE: join(directory, 'localhost-key.pem'),
};

/** What a client must trust to call such a service. */
export const localhostAuthority = (): string => readFileSync(localhostTls.TLS_CERT_FILE, 'utf8');
