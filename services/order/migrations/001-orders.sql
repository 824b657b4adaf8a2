-- Written once at the front, rewritten columns last. No index carries a column that every order changes (status, sequence),
-- or every transition would lose HOT: `attention` is null on the happy way.
CREATE TABLE orders (
  order_id       uuid PRIMARY KEY,
  customer_id    text COLLATE "C" NOT NULL,
  customer_name  text NOT NULL,
  currency       text,
  items          json NOT NULL,
  item_count     integer NOT NULL,
  total          numeric,
  created_at     timestamptz NOT NULL,
  status         text NOT NULL,
  sequence       integer NOT NULL DEFAULT 0,
  publish_failed boolean NOT NULL,
  attention      text,
  updated_at     timestamptz NOT NULL,
  fulfillment    json
) WITH (fillfactor = 55);

CREATE INDEX orders_of_customer ON orders (customer_id, order_id DESC);
CREATE INDEX orders_with_attention ON orders (attention, order_id DESC) WHERE attention IS NOT NULL;

CREATE TABLE outbox (
  key            text COLLATE "C" NOT NULL,
  sequence       integer NOT NULL,
  topic          text NOT NULL,
  event_id       uuid NOT NULL,
  event_type     text NOT NULL,
  payload        text,
  correlation_id text,
  traceparent    text,
  bytes          bytea,
  headers        json,
  created_at     timestamptz NOT NULL DEFAULT now(),
  refused        text,
  claimed_by     text,
  claim_until    timestamptz NOT NULL,
  PRIMARY KEY (key, sequence)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

CREATE TABLE idempotency_keys (
  scope      text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  hash       text NOT NULL,
  order_id   uuid NOT NULL,
  status     text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE dead_letters (
  topic      text NOT NULL,
  partition  integer NOT NULL,
  "offset"   bigint NOT NULL,
  key        text,
  value      bytea NOT NULL,
  headers    json NOT NULL,
  reason     text NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  resolution text,
  PRIMARY KEY (topic, partition, "offset")
);
