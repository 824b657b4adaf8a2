import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { startKafka } from '@orders/embedded/kafka/server';
import { choosePort } from '@orders/embedded/processes/server-port';
import Type from 'typebox';
import { kafkaBrokerOptions, kafkaVariables } from '../../src/kafka/config.ts';
import { readConfig } from '../../src/process/config.ts';
import { messageOf } from '../../src/process/errors.ts';
import { event, publish, receive, topic } from '../kit/published-events.ts';
import { createAuthority } from '../kit/test-certificates.ts';
import { openKafkaBroker, skipWithout, startTestKafka } from '../kit/test-kafka.ts';
import { until } from '../kit/until.ts';
import { examineBroker } from '../messaging/broker.exam.ts';

const directory = mkdtempSync(join(tmpdir(), 'orders-certificates-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const authority = createAuthority(directory, 'authority');
const stranger = createAuthority(directory, 'stranger');
const client = authority.sign('client', 'open sesame');
const certifiedPort = await choosePort(undefined);
const security = {
  keyStore: authority.sign('broker').both,
  authority: authority.certificate,
  certifiedPort,
  username: 'orders',
  password: 'first-secret',
};
const kafka = await startTestKafka((o) => startKafka({ ...o, security }));
const options = { timeout: 120_000, ...skipWithout(kafka) };

/** As a service is told: by its environment. */
const trusting = {
  KAFKA_BOOTSTRAP_SERVERS: kafka?.bootstrapServers ?? '',
  KAFKA_SSL: 'true',
  KAFKA_SSL_CA_FILE: authority.certificate,
};
const user = (mechanism: string, password = 'first-secret') => ({
  KAFKA_SASL_MECHANISM: mechanism,
  KAFKA_SASL_USERNAME: 'orders',
  KAFKA_SASL_PASSWORD: password,
});
const certified = {
  ...trusting,
  KAFKA_BOOTSTRAP_SERVERS: `localhost:${certifiedPort}`,
  KAFKA_SSL_CERT_FILE: client.certificate,
  KAFKA_SSL_KEY_FILE: client.key,
  KAFKA_SSL_KEY_PASSPHRASE: 'open sesame',
};

function openAs(t: TestContext, env: NodeJS.ProcessEnv) {
  const { connection } = kafkaBrokerOptions(readConfig(Type.Object(kafkaVariables), env));
  return openKafkaBroker(t, connection).broker;
}

async function passesEvents(t: TestContext, env: NodeJS.ProcessEnv): Promise<void> {
  const broker = openAs(t, env);
  const received = await receive(broker);
  await broker.publish(
    topic,
    Array.from({ length: 50 }, (_, i) => event(`key-${i}`)),
  );
  await until('all arrive', () => new Set(received.map(({ key }) => key)).size === 50);
}

/** Says no, with the reason, within the deadline of a publish and a little. */
async function refuses(t: TestContext, env: NodeJS.ProcessEnv, reason: RegExp) {
  const broker = openAs(t, env);
  const begun = performance.now();
  await assert.rejects(broker.publish(topic, [event('k')]), (error) => {
    t.diagnostic(`${Math.round(performance.now() - begun)} ms: ${messageOf(error)}`);
    assert.match(messageOf(error), reason);
    return true;
  });
  assert.ok(performance.now() - begun < 8_000);
  return broker;
}

examineBroker(
  'Kafka over SASL_SSL',
  (t) => openAs(t, { ...trusting, ...user('SCRAM-SHA-512') }),
  skipWithout(kafka),
);

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
  test(`events pass for a user by ${mechanism}`, options, (t) =>
    passesEvents(t, { ...trusting, ...user(mechanism) }),
  );

  test(
    `a wrong password is refused in time by ${mechanism}, and the next client is not`,
    options,
    async (t) => {
      await refuses(t, { ...trusting, ...user(mechanism, 'wrong') }, /authenticat/i);
      await passesEvents(t, { ...trusting, ...user(mechanism) });
    },
  );
}

test('events pass for a client certificate whose key has a passphrase', options, (t) =>
  passesEvents(t, certified),
);

test(
  'without a client certificate a broker that asks for one is not reached',
  options,
  async (t) => {
    await refuses(
      t,
      { ...trusting, KAFKA_BOOTSTRAP_SERVERS: `localhost:${certifiedPort}` },
      /certificate|closed|ECONNRESET/i,
    );
  },
);

test('a broker whose authority is not trusted is not talked to', options, async (t) => {
  const env = { ...trusting, ...user('PLAIN') };
  await refuses(t, { ...env, KAFKA_SSL_CA_FILE: stranger.certificate }, /certificate|signature/i);
  const { KAFKA_SSL_CA_FILE: _, ...wellKnown } = env;
  await refuses(t, wellKnown, /certificate|self.signed/i);
});

// 127.1 is a name to TLS, and 127.0.0.1 to the resolver.
test(
  'a broker that has another name than it was asked for is not talked to',
  options,
  async (t) => {
    const servers = (kafka?.bootstrapServers ?? '').replace('localhost', '127.1');
    await refuses(
      t,
      { ...trusting, ...user('PLAIN'), KAFKA_BOOTSTRAP_SERVERS: servers },
      /altnames/,
    );
  },
);

test(
  'a client with the wrong password goes on by itself when Kafka takes that password',
  options,
  async (t) => {
    const broker = await refuses(
      t,
      { ...trusting, ...user('PLAIN', 'second-secret') },
      /authenticat/i,
    );
    const received = await receive(broker);
    security.password = 'second-secret';
    await kafka?.kill();
    await kafka?.restart();
    await publish(broker, [event('after')]);
    await until('it arrives', () => received.some(({ key }) => key === 'after'), 30_000);
  },
);
