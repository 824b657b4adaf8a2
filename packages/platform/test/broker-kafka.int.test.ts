import { examineBroker } from './broker.exam.ts';
import { anyKafka, openKafkaBroker, skipWithout } from './test-kafka.ts';

const kafka = await anyKafka();
const servers = kafka?.bootstrapServers ?? '';

examineBroker('Kafka', (t) => openKafkaBroker(t, servers).broker, skipWithout(kafka));
