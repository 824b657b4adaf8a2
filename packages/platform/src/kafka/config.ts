import Type, { type Static } from 'typebox';
import { ConfigError, secret } from '../process/config.ts';
import { type KafkaTls, kafkaTls, kafkaTlsVariables } from './tls.ts';

/** How to reach Kafka; the same for every service. */
export const kafkaVariables = {
  KAFKA_BOOTSTRAP_SERVERS: Type.String({
    pattern: '^[^\\s,:]+:\\d{1,5}(,[^\\s,:]+:\\d{1,5})*$',
    'x-fault': 'must be host:port, or several with commas between them',
    default: '127.0.0.1:9092',
    description: 'Kafka brokers to ask for the others: host:port, several with commas between them',
  }),
  KAFKA_TOPIC_PARTITIONS: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 12,
    description: 'Partitions of a topic that must be created',
  }),
  KAFKA_TOPIC_REPLICATION: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 1,
    description: 'Replicas of a topic that must be created',
  }),
  KAFKA_GROUP_INSTANCE_ID: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 249,
      description:
        'Static membership: a name of this instance alone that it keeps over restarts. It keeps its partitions for 30 s without it',
    }),
  ),
  ...kafkaTlsVariables,
  KAFKA_SASL_MECHANISM: Type.Optional(
    Type.Enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], {
      description:
        'How to authenticate to Kafka; needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD. Unset: not at all',
    }),
  ),
  KAFKA_SASL_USERNAME: Type.Optional(
    Type.String({ minLength: 1, description: 'User name for Kafka' }),
  ),
  KAFKA_SASL_PASSWORD: Type.Optional(
    Type.String({ ...secret, minLength: 1, description: 'Password for Kafka' }),
  ),
};

export const groupIdVariable = (service: string) =>
  Type.String({
    minLength: 1,
    maxLength: 249,
    default: service,
    description: 'Consumer group of the service; its instances share it',
  });

export const topicVariable = (topic: string) =>
  Type.String({
    pattern: '^[a-zA-Z0-9._-]{1,240}$',
    'x-fault': 'must be 1 to 240 of a-z A-Z 0-9 . _ -',
    default: topic,
    description: `Name of the topic ${topic} in Kafka; its dead letters go to <name>.dlq`,
  });

const KafkaConfig = Type.Object(kafkaVariables);
export type KafkaConfig = Static<typeof KafkaConfig>;

/** What every client of the library is created with. */
export type KafkaConnection = KafkaTls & {
  bootstrapBrokers: string[];
  sasl?: {
    mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    username: string;
    password: string;
  };
};

/**
 * The part of the broker's options that is configuration; reads the files that it names. Throws
 * ConfigError where a file cannot be used, or a mechanism and its credentials do not come together.
 */
export function kafkaBrokerOptions(config: KafkaConfig) {
  const { KAFKA_GROUP_INSTANCE_ID: groupInstanceId } = config;
  return {
    connection: kafkaConnection(config),
    partitions: config.KAFKA_TOPIC_PARTITIONS,
    replication: config.KAFKA_TOPIC_REPLICATION,
    ...(groupInstanceId !== undefined && { groupInstanceId }),
  };
}

function kafkaConnection(config: KafkaConfig): KafkaConnection {
  const connection = {
    bootstrapBrokers: config.KAFKA_BOOTSTRAP_SERVERS.split(','),
    ...kafkaTls(config),
  };
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = config;
  if (mechanism === undefined) {
    const given = (['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const).filter(
      (name) => config[name] !== undefined,
    );
    if (given.length > 0)
      throw new ConfigError(given.map((name) => `${name} needs KAFKA_SASL_MECHANISM`));
    return connection;
  }
  if (username === undefined || password === undefined) {
    throw new ConfigError([
      'KAFKA_SASL_MECHANISM needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    ]);
  }
  return { ...connection, sasl: { mechanism, username, password } };
}
