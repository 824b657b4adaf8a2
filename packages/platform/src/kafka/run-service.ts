import type { Static, TObject } from 'typebox';
import type { Broker } from '../messaging/broker.ts';
import { type ConfigRules, loadEnvFile, readConfig } from '../process/config.ts';
import { createLog, type Log } from '../process/log.ts';
import type { Metrics } from '../process/metrics.ts';
import { warnOfMisspelt } from '../process/misspelt.ts';
import { runProcess } from '../process/run-process.ts';
import { drainSeconds } from '../process/variables.ts';
import { createKafkaBroker } from './broker.ts';
import { type KafkaConfig, kafkaBrokerOptions } from './config.ts';
import { observeKafkaLag } from './lag.ts';

/** What a service is created with, beside its configuration. */
export type ServiceParts = {
  broker: Broker;
  log: Log;
  observe: (metrics: Metrics) => void;
  signal: AbortSignal;
};

/**
 * Runs one service as a process of its own on Kafka, configured by the environment and `.env`; ends
 * as `runProcess` does.
 */
export async function runKafkaService<S extends TObject>(parts: {
  name: string;
  schema: S;
  rules: ConfigRules<Static<S>>;
  /** Topic → its name in Kafka. */
  topics(config: Static<S>): Record<string, string>;
  create(
    config: Static<S>,
    parts: ServiceParts,
  ): Promise<{ listen(): Promise<string>; close(): Promise<void> }>;
}): Promise<void> {
  const { name, schema, rules } = parts;
  await runProcess(async (signal) => {
    loadEnvFile();
    const config = readConfig(schema, process.env, rules);
    const { LOG_LEVEL: level } = config as { LOG_LEVEL?: string };
    const log = createLog(level === undefined ? {} : { level });
    const ownLog = log.child({ service: name });
    warnOfMisspelt(schema, process.env, ownLog);
    const options = kafkaBrokerOptions(config as KafkaConfig);
    const broker = createKafkaBroker({
      ...options,
      clientId: name,
      topics: parts.topics(config),
      log: ownLog,
    });
    try {
      const observe = (metrics: Metrics): void => observeKafkaLag(metrics, broker.lag, ownLog);
      const service = await parts.create(config, { broker, log, observe, signal });
      try {
        ownLog.info({ url: await service.listen() }, 'ready');
      } catch (error) {
        await service.close();
        throw error;
      }
      const close = async (): Promise<void> => {
        await service.close();
        await broker.close();
      };
      return { close, drainMs: drainSeconds(config) * 1_000 };
    } catch (error) {
      await broker.close();
      throw error;
    }
  });
}
