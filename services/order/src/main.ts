import { fulfillmentEventsTopic } from '@orders/contracts/fulfillment-events';
import { orderEventsTopic } from '@orders/contracts/order-events';
import { createKafkaBroker } from '@orders/platform/broker-kafka';
import { loadEnvFile, readConfig } from '@orders/platform/config';
import { kafkaBrokerOptions } from '@orders/platform/kafka-config';
import { observeKafkaLag } from '@orders/platform/kafka-lag';
import { createLog } from '@orders/platform/log';
import { runProcess } from '@orders/platform/process';
import { OrderProcessConfig, orderProcessRules } from './config.ts';
import { createOrderService } from './service.ts';

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(OrderProcessConfig, process.env, orderProcessRules);
  const log = createLog({ level: config.LOG_LEVEL });
  const ownLog = log.child({ service: 'order-service' });
  const topics = {
    [orderEventsTopic]: config.KAFKA_ORDER_EVENTS_TOPIC,
    [fulfillmentEventsTopic]: config.KAFKA_FULFILLMENT_EVENTS_TOPIC,
  };
  const broker = createKafkaBroker({ ...kafkaBrokerOptions(config), clientId: 'order-service', topics, log: ownLog });
  try {
    const service = await createOrderService({
      config,
      broker,
      log,
      group: config.KAFKA_GROUP_ID,
      observe: (metrics) => observeKafkaLag(metrics, broker.lag, ownLog),
      signal,
    });
    const close = async (): Promise<void> => {
      await service.close();
      await broker.close();
    };
    try {
      ownLog.info({ url: await service.listen() }, 'ready');
    } catch (error) {
      await service.close();
      throw error;
    }
    return { close };
  } catch (error) {
    await broker.close();
    throw error;
  }
});
