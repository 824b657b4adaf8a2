import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import Type from 'typebox';
import { kafkaBrokerOptions, kafkaVariables } from '../../src/kafka/config.ts';
import { ConfigError, readConfig } from '../../src/process/config.ts';

const directory = mkdtempSync(join(tmpdir(), 'orders-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
const [root = ''] = rootCertificates;
const certificate = file('certificate.pem', root);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = file('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
const junk = file('junk.pem', 'no certificate');
const missing = join(directory, 'missing.pem');

const connectionFor = (env: NodeJS.ProcessEnv) =>
  kafkaBrokerOptions(readConfig(Type.Object(kafkaVariables), env)).connection;

function faultsFor(env: NodeJS.ProcessEnv): string[] {
  try {
    connectionFor(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults;
  }
  return [];
}

test('without settings the connection is in the clear', () => {
  assert.deepEqual(connectionFor({}), { bootstrapBrokers: ['127.0.0.1:9092'] });
});

test('the authority is read from its file, and brokers with a name are told it', () => {
  const tls = { KAFKA_SSL: 'true', KAFKA_SSL_CA_FILE: certificate };
  const named = connectionFor({ ...tls, KAFKA_BOOTSTRAP_SERVERS: 'a.example:9093,b.example:9093' });
  assert.equal(named.tls?.ca, root);
  assert.equal(named.tlsServerName, true);
  assert.equal(
    connectionFor({ ...tls, KAFKA_BOOTSTRAP_SERVERS: '10.0.0.1:9093' }).tlsServerName,
    undefined,
  );
});

test('files for TLS without TLS are a fault each', () => {
  const env = {
    KAFKA_SSL_CA_FILE: certificate,
    KAFKA_SSL_KEY_FILE: key,
    KAFKA_SSL_KEY_PASSPHRASE: 'x',
  };
  assert.deepEqual(
    faultsFor(env),
    Object.keys(env).map((name) => `${name} needs KAFKA_SSL=true`),
  );
  assert.equal(faultsFor({ ...env, KAFKA_SSL: 'false' }).length, 3);
});

test('files that cannot be read are all named at once, with their variables', () => {
  const env = {
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA_FILE: missing,
    KAFKA_SSL_CERT_FILE: missing,
    KAFKA_SSL_KEY_FILE: missing,
  };
  const faults = faultsFor(env);
  assert.equal(faults.length, 3);
  for (const [i, name] of ['CA', 'CERT', 'KEY'].entries()) {
    assert.match(
      faults[i] ?? '',
      new RegExp(`^KAFKA_SSL_${name}_FILE ${missing} cannot be used: ENOENT`),
    );
  }
});

test('a certificate and a key need each other, and must fit', () => {
  const env = { KAFKA_SSL: 'true', KAFKA_SSL_CERT_FILE: certificate };
  assert.match(faultsFor(env).join(), /need each other/);
  assert.match(
    faultsFor({ ...env, KAFKA_SSL_KEY_FILE: key }).join(),
    /KAFKA_SSL_CERT_FILE .* cannot be used/,
  );
});

test('a file that holds no certificate is refused', () => {
  assert.match(
    faultsFor({ KAFKA_SSL: 'true', KAFKA_SSL_CA_FILE: junk }).join(),
    /KAFKA_SSL_CA_FILE .*junk\.pem cannot/,
  );
});

test('a mechanism without its credentials is refused', () => {
  assert.match(faultsFor({ KAFKA_SASL_MECHANISM: 'PLAIN' }).join(), /needs KAFKA_SASL_USERNAME/);
});

test('credentials without a mechanism are a fault each, for Kafka would be talked to without them', () => {
  assert.deepEqual(faultsFor({ KAFKA_SASL_USERNAME: 'orders', KAFKA_SASL_PASSWORD: 'secret' }), [
    'KAFKA_SASL_USERNAME needs KAFKA_SASL_MECHANISM',
    'KAFKA_SASL_PASSWORD needs KAFKA_SASL_MECHANISM',
  ]);
});
