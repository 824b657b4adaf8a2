import { startKafkaOnZooKeeper } from '@orders/embedded/kafka-zookeeper-server';
import { examineBroker } from './broker.exam.ts';
import { openKafkaBroker, skipWithout, startTestKafka } from './test-kafka.ts';

const kafka = await startTestKafka(startKafkaOnZooKeeper);

examineBroker(
  'Kafka on ZooKeeper',
  (t) => openKafkaBroker(t, kafka?.bootstrapServers ?? '').broker,
  skipWithout(kafka),
);
