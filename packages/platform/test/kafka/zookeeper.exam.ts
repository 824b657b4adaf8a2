import { startKafkaOnZooKeeper } from '@orders/embedded/kafka/zookeeper-server';
import { openKafkaBroker, skipWithout, startTestKafka } from '../kit/test-kafka.ts';
import { examineBroker } from '../messaging/broker.exam.ts';

const kafka = await startTestKafka(startKafkaOnZooKeeper);

examineBroker(
  'Kafka on ZooKeeper',
  (t) => openKafkaBroker(t, kafka?.bootstrapServers ?? '').broker,
  skipWithout(kafka),
);
