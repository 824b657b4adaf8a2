-- What every service needs to publish and to consume. Run in the schema of each service, before its
-- own migrations.

-- Events that are committed and not yet published. A row is written once, claimed and deleted.
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
) WITH (
  fillfactor = 90,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000
);

-- Events that cannot be handled, with an operator's decision; open while `resolution` is null.
CREATE TABLE dead_letters (
  topic           text NOT NULL,
  partition       integer NOT NULL,
  "offset"        bigint NOT NULL,
  key             text,
  value           bytea NOT NULL,
  headers         json NOT NULL,
  reason          text NOT NULL,
  at              timestamptz NOT NULL DEFAULT now(),
  resolution      text,
  resolved_by     text,
  resolved_at     timestamptz,
  resolved_reason text,
  PRIMARY KEY (topic, partition, "offset")
);

CREATE INDEX dead_letters_by_time ON dead_letters (at, topic, partition, "offset");

CREATE INDEX dead_letters_open ON dead_letters (at, topic, partition, "offset")
  WHERE resolution IS NULL;

CREATE INDEX dead_letters_resolved ON dead_letters (at, topic, partition, "offset")
  WHERE resolution IS NOT NULL;
