-- The rows are the work queue: `due_at` is the next attempt or the end of the lease. What is final has none.
CREATE TABLE fulfillments (
  order_id         uuid PRIMARY KEY,
  source_topic     text NOT NULL,
  source_partition integer NOT NULL,
  source_offset    bigint NOT NULL,
  payload          text NOT NULL,
  correlation_id   text,
  traceparent      text,
  created_at       timestamptz NOT NULL,
  filed_at         timestamptz NOT NULL DEFAULT now(),
  state            text NOT NULL,
  sequence         integer NOT NULL,
  claim            integer NOT NULL,
  claimed_by       text,
  attempts         integer NOT NULL,
  abandoned        integer NOT NULL DEFAULT 0,
  retries          integer NOT NULL DEFAULT 0,
  attempt_open     boolean NOT NULL,
  settle_at        timestamptz,
  due_at           timestamptz,
  tracking_number  text,
  carrier          text,
  shipped_at       timestamptz,
  error            text,
  failed_attempts  text NOT NULL DEFAULT '[]',
  updated_at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 65, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX fulfillments_due ON fulfillments (due_at) WHERE due_at IS NOT NULL;

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
