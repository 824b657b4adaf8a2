import Type from 'typebox';

export const kafkaPortVariable = Type.Integer({
  minimum: 0,
  maximum: 65_535,
  default: 9092,
  description: 'Port of the local Kafka broker; 0 takes any free port',
});

export const kafkaAdvertisedPortVariable = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 65_535,
    description: 'Port at which the local Kafka broker is reached through a proxy; unset: its own',
  }),
);

export const dataDirVariable = Type.String({
  minLength: 1,
  default: '.data',
  description: 'Where the local Kafka broker and the embedded PostgreSQL keep their data',
});
