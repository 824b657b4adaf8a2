import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { runProcess } from '@orders/platform/process/run-process';
import { commonVariables } from '@orders/platform/process/variables';
import Type from 'typebox';
import { startKafka } from './kafka/server.ts';
import { dataDirVariable, kafkaAdvertisedPortVariable, kafkaPortVariable } from './variables.ts';

const KafkaConfig = Type.Object({
  LOG_LEVEL: commonVariables.LOG_LEVEL,
  KAFKA_PORT: kafkaPortVariable,
  KAFKA_ADVERTISED_PORT: kafkaAdvertisedPortVariable,
  DATA_DIR: dataDirVariable,
});

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(KafkaConfig, process.env);
  const log = createLog({ service: 'kafka', level: config.LOG_LEVEL });
  const { DATA_DIR: dataDir, KAFKA_PORT: port, KAFKA_ADVERTISED_PORT: advertisedPort } = config;
  const kafka = await startKafka({
    dataDir,
    port,
    ...(advertisedPort && { advertisedPort }),
    log,
    signal,
  });
  const { bootstrapServers, pid } = kafka;
  let isClosing = false;
  void kafka.exited.then((how) => {
    if (isClosing) return;
    log.error({ pid, how }, 'Kafka died');
    process.exit(1);
  });
  log.info({ bootstrapServers, pid }, 'Kafka is ready; Ctrl-C stops it');
  return {
    close() {
      isClosing = true;
      return kafka.close();
    },
  };
});
