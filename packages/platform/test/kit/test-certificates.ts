import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const days = '2';

/**
 * An authority of the test's own; it writes PEM files into the directory. Needs the program
 * openssl.
 */
export function createAuthority(directory: string, name: string) {
  const file = (of: string): string => join(directory, of);
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { stdio: 'pipe', timeout: 30_000 });
  const newKey = ['-newkey', 'rsa:2048', '-sha256'];
  const [certificate, key] = [file(`${name}.pem`), file(`${name}.key`)];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-nodes',
    '-days',
    days,
    '-subj',
    `/CN=${name}`,
    '-keyout',
    key,
    '-out',
    certificate,
  );
  return {
    certificate,
    /**
     * A key, encrypted where there is a passphrase, and a certificate for localhost; `both` has
     * them in one file.
     */
    sign(subject: string, passphrase?: string) {
      const paths = {
        certificate: file(`${subject}.pem`),
        key: file(`${subject}.key`),
        both: file(`${subject}-both.pem`),
      };
      const [request, extensions] = [file(`${subject}.csr`), file(`${subject}.ext`)];
      const secrecy = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
      openssl(
        'req',
        '-new',
        ...newKey,
        ...secrecy,
        '-subj',
        `/CN=${subject}`,
        '-keyout',
        paths.key,
        '-out',
        request,
      );
      writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
      const by = [
        '-CA',
        certificate,
        '-CAkey',
        key,
        '-CAcreateserial',
        '-days',
        days,
        '-extfile',
        extensions,
      ];
      openssl('x509', '-req', '-in', request, ...by, '-out', paths.certificate);
      writeFileSync(
        paths.both,
        readFileSync(paths.key, 'utf8') + readFileSync(paths.certificate, 'utf8'),
      );
      return paths;
    },
  };
}
