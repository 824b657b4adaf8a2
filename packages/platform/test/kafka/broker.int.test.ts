import { anyKafka, openKafkaBroker, skipWithout } from '../kit/test-kafka.ts';
import { examineBroker } from '../messaging/broker.exam.ts';

const kafka = await anyKafka();
const servers = kafka?.bootstrapServers ?? '';

examineBroker('Kafka', (t) => openKafkaBroker(t, servers).broker, skipWithout(kafka));
