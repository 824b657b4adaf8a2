import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import Type from 'typebox';
import { ConfigError, readConfig, secret } from '../../src/process/config.ts';
import {
  databaseFaults,
  entranceFaults,
  kafkaFaults,
  shippingFaults,
} from '../../src/process/profile.ts';

const directory = mkdtempSync(join(tmpdir(), 'orders-profile-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const good = 'postgres://orders_service:k3Jq0zV8@127.0.0.1/orders';
const remote = 'postgres://orders_service:k3Jq0zV8@db.example/orders';

test('local demands nothing', () => {
  assert.deepEqual(entranceFaults({}), []);
  assert.deepEqual(databaseFaults('URL', 'postgres://postgres:postgres@db.example/x', {}), []);
  assert.deepEqual(kafkaFaults({}), []);
  assert.deepEqual(shippingFaults({}, undefined), []);
});

test('in every profile a fault is told that would end in an error of a library', () => {
  assert.match(
    databaseFaults('URL', 'postgres://u:s3cret%@127.0.0.1/x', {}).join(),
    /^URL must be a URL(?!.*s3cret)/,
  );
  assert.match(
    databaseFaults('URL', 'postgres://u:s3/cret@127.0.0.1/x', {}).join(),
    /^URL must be a URL(?!.*cret)/,
  );
  // Read as they stand, these would call a host named u.
  for (const password of ['12/s3cret', '12#s3cret', '12?s3cret'])
    assert.match(
      databaseFaults('URL', `postgres://u:${password}@db.example/x`, {}).join(),
      /^URL must be a URL(?!.*cret)/,
    );
  assert.deepEqual(entranceFaults({ TLS_CERT_FILE: 'c' }), [
    'TLS_CERT_FILE and TLS_KEY_FILE need each other',
  ]);
  for (const TRUST_PROXY of [
    'true',
    '1',
    'loopback',
    '10.0.0.1,',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
  ]) {
    assert.match(entranceFaults({ TRUST_PROXY }).join(), /^TRUST_PROXY/, TRUST_PROXY);
  }
  assert.deepEqual(entranceFaults({ TRUST_PROXY: '10.0.0.0/8, 127.0.0.1,fd00::/8' }), []);
});

for (const PROFILE of ['dev', 'test', 'prod']) {
  test(`${PROFILE} demands API keys and TLS, or the statement that TLS ends in front`, () => {
    assert.match(entranceFaults({ PROFILE }).join(), /API_KEYS_FILE.*TLS_CERT_FILE/);
    assert.match(entranceFaults({ PROFILE, TLS_ENDS_IN_FRONT: 'true' }).join(), /^API_KEYS_FILE/);
    assert.match(entranceFaults({ PROFILE, API_KEYS_FILE: 'k' }).join(), /^TLS_CERT_FILE/);
    assert.match(
      entranceFaults({ PROFILE, API_KEYS_FILE: 'k', TLS_ENDS_IN_FRONT: 'false' }).join(),
      /^TLS_CERT_FILE/,
    );
    assert.deepEqual(
      entranceFaults({ PROFILE, API_KEYS_FILE: 'k', TLS_ENDS_IN_FRONT: 'true' }),
      [],
    );
    assert.deepEqual(
      entranceFaults({ PROFILE, API_KEYS_FILE: 'k', TLS_CERT_FILE: 'c', TLS_KEY_FILE: 'y' }),
      [],
    );
  });

  test(`${PROFILE} refuses a database password that anybody would guess, and never tells it`, () => {
    const faults = (url: string) => databaseFaults('ORDERS_DATABASE_URL', url, { PROFILE });
    assert.deepEqual(faults(good), []);
    for (const userinfo of [
      'o',
      'o:',
      'o:postgres',
      'o:PassWord',
      'same:same',
      'o:change-me',
      'o:change_me_please',
    ]) {
      const [fault = '', ...more] = faults(`postgres://${userinfo}@127.0.0.1/orders`);
      assert.match(
        fault,
        /^ORDERS_DATABASE_URL has (no password|a password that anybody would guess)$/,
        userinfo,
      );
      assert.deepEqual(more, []);
    }
  });

  test(`${PROFILE} wants TLS to a database on another machine, unless that is waived by name`, () => {
    const faults = (url: string, more = {}) => databaseFaults('URL', url, { PROFILE, ...more });
    assert.match(faults(remote).join(), /sslmode=verify-full/);
    assert.match(faults(remote, { PLAINTEXT_ACCEPTED: 'kafka' }).join(), /sslmode=verify-full/);
    assert.deepEqual(faults(remote, { PLAINTEXT_ACCEPTED: 'kafka,database' }), []);
    assert.deepEqual(faults(`${remote}?sslmode=verify-full`), []);
    for (const mode of ['prefer', 'require', 'verify-ca', 'no-verify']) {
      assert.match(faults(`${remote}?sslmode=${mode}`).join(), /sslmode=verify-full/);
    }
    assert.match(faults(`${good}?host=db.example`).join(), /sslmode=verify-full/);
  });
}

test('prod refuses plain Kafka unless it is waived by name, dev and test take it', () => {
  assert.match(kafkaFaults({ PROFILE: 'prod' }).join(), /KAFKA_SSL or KAFKA_SASL_MECHANISM/);
  assert.match(kafkaFaults({ PROFILE: 'prod', KAFKA_SSL: 'false' }).join(), /KAFKA_SSL or/);
  assert.deepEqual(kafkaFaults({ PROFILE: 'prod', KAFKA_SSL: 'true' }), []);
  assert.deepEqual(kafkaFaults({ PROFILE: 'prod', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' }), []);
  assert.match(
    kafkaFaults({ PROFILE: 'prod', KAFKA_SASL_MECHANISM: 'PLAIN' }).join(),
    /password readable/,
  );
  assert.deepEqual(
    kafkaFaults({ PROFILE: 'prod', KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SSL: 'true' }),
    [],
  );
  assert.deepEqual(kafkaFaults({ PROFILE: 'prod', PLAINTEXT_ACCEPTED: 'kafka' }), []);
  assert.deepEqual(kafkaFaults({ PROFILE: 'dev' }), []);
  assert.deepEqual(kafkaFaults({ PROFILE: 'test' }), []);
});

test('prod refuses a provider that is not named or not reached over TLS, dev and test take the mock', () => {
  assert.match(
    shippingFaults({ PROFILE: 'prod' }, undefined).join(),
    /mock provider is not for prod/,
  );
  assert.match(shippingFaults({ PROFILE: 'prod' }, 'http://ship.example').join(), /https/);
  assert.deepEqual(shippingFaults({ PROFILE: 'prod' }, 'https://ship.example'), []);
  assert.deepEqual(
    shippingFaults({ PROFILE: 'prod', PLAINTEXT_ACCEPTED: 'shipping' }, 'http://ship.example'),
    [],
  );
  assert.deepEqual(shippingFaults({ PROFILE: 'dev' }, undefined), []);
});

const Secrets = Type.Object({
  URL: Type.String({ ...secret, minLength: 3 }),
  OTHER: Type.Optional(Type.String()),
});
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const faultsOf = (env: NodeJS.ProcessEnv): string[] => {
  try {
    readConfig(Secrets, env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
};

test('a secret may stand in a file, without its last line break', () => {
  assert.equal(readConfig(Secrets, { URL_FILE: file('url', 'value\n') }).URL, 'value');
  assert.equal(readConfig(Secrets, { URL_FILE: file('spaces', ' v \r\n') }).URL, ' v ');
});

test('a secret that is given twice, or whose file is missing or empty, is one fault that names the file', () => {
  const url = file('url', 'value\n');
  assert.deepEqual(faultsOf({ URL: 'xyz', URL_FILE: url }), ['URL and URL_FILE are both set']);
  assert.match(
    faultsOf({ URL_FILE: join(directory, 'none') }).join('|'),
    /^URL_FILE .*none cannot be read: [^|]+$/,
  );
  assert.match(
    faultsOf({ URL_FILE: file('empty', '\n') }).join('|'),
    /^URL_FILE .*empty is empty$/,
  );
  assert.deepEqual(faultsOf({}), ['URL is required']);
});

test('only secrets may stand in files', () => {
  assert.equal(
    readConfig(Secrets, { URL: 'xyz', OTHER_FILE: file('other', 'x') }).OTHER,
    undefined,
  );
});
