-- When the broker was given the event that an order came with: part of its ledger, beside topic, partition and offset.
ALTER TABLE fulfillments ADD COLUMN published_at timestamptz;

-- An operator's retry begins a new budget of attempts and a new deadline, and may send again what is claimed.
ALTER TABLE fulfillments
  ADD COLUMN attempts_before integer NOT NULL DEFAULT 0,
  ADD COLUMN retried_at      timestamptz,
  ADD COLUMN may_resend      boolean NOT NULL DEFAULT false;

CREATE INDEX fulfillments_with_attention ON fulfillments (state, order_id DESC) WHERE state IN ('Retrying', 'Failed', 'Cancelled');

-- What a request to cancel marks under the row's lock; see filing-store.ts.
ALTER TABLE fulfillments ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false;

-- Requests to cancel, also of orders that are not filed yet: the request may overtake its order. Read before every sending.
CREATE TABLE cancellations (
  order_id         uuid PRIMARY KEY,
  source_topic     text NOT NULL,
  source_partition integer NOT NULL,
  source_offset    bigint NOT NULL,
  reason           text,
  filed_at         timestamptz NOT NULL DEFAULT now()
);

-- What an operator forces holds for every instance; no row means automatic.
CREATE TABLE breakers (
  name       text PRIMARY KEY,
  mode       text NOT NULL,
  changed_by text NOT NULL,
  reason     text,
  changed_at timestamptz NOT NULL DEFAULT now()
);

-- What each instance last told of itself.
CREATE TABLE instances (
  instance      text PRIMARY KEY,
  breaker_state text NOT NULL,
  breaker_since timestamptz NOT NULL,
  last_error    text,
  call_limit    integer NOT NULL,
  calls         integer NOT NULL,
  seen_at       timestamptz NOT NULL DEFAULT now()
);

-- What operators did, newest last.
CREATE TABLE operator_actions (
  id       uuid PRIMARY KEY DEFAULT uuidv7(),
  at       timestamptz NOT NULL DEFAULT now(),
  operator text NOT NULL,
  action   text NOT NULL,
  reason   text,
  request  json NOT NULL,
  result   json NOT NULL
);

-- Fulfillments that exceed the deadline of their state.
CREATE TABLE watched (
  order_id uuid PRIMARY KEY,
  reason   text NOT NULL,
  since    timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Which instance is on watch.
CREATE TABLE sentinel (
  name       text PRIMARY KEY,
  position   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  locked_by    text,
  locked_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO sentinel (name) VALUES ('fulfillments');

-- What an operator decided; open while `resolution` is null.
ALTER TABLE dead_letters
  ADD COLUMN resolved_by     text,
  ADD COLUMN resolved_at     timestamptz,
  ADD COLUMN resolved_reason text;

CREATE INDEX dead_letters_by_time ON dead_letters (at, topic, partition, "offset");
CREATE INDEX dead_letters_open ON dead_letters (at, topic, partition, "offset") WHERE resolution IS NULL;
CREATE INDEX dead_letters_resolved ON dead_letters (at, topic, partition, "offset") WHERE resolution IS NOT NULL;
