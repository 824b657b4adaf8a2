-- Written with the order, so that its event can be made again; null for orders from before.
ALTER TABLE orders ADD COLUMN correlation_id text;
-- Its outcome is the order's status: Cancelled, or final in another way (too late).
ALTER TABLE orders ADD COLUMN cancel_requested_at timestamptz, ADD COLUMN cancel_reason text;

-- Which orders changed: one row of each statement that changes orders, for those who follow them live. The writer's transaction
-- and a snapshot tell exactly what was committed since the last look, in whatever order it was. Kept for minutes.
CREATE TABLE order_changes (
  xid       xid8 PRIMARY KEY DEFAULT pg_current_xact_id(),
  at        timestamptz NOT NULL DEFAULT now(),
  -- Five hundred fit into a row of one page: to compress them, or to store them elsewhere, would only cost time.
  order_ids uuid[] STORAGE EXTERNAL NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

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

-- Orders that were not final when the sentinel came by; `reason` is null until one exceeds the deadline of its state.
CREATE TABLE watched (
  order_id   uuid PRIMARY KEY,
  entered_at timestamptz NOT NULL DEFAULT now(),
  reason     text,
  since      timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX watched_stuck ON watched (order_id) INCLUDE (reason) WHERE reason IS NOT NULL;

-- How far the sentinel has come, and which instance is on watch.
CREATE TABLE sentinel (
  name       text PRIMARY KEY,
  position   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  locked_by    text,
  locked_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO sentinel (name) VALUES ('orders');

-- What an operator decided; open while `resolution` is null.
ALTER TABLE dead_letters
  ADD COLUMN resolved_by     text,
  ADD COLUMN resolved_at     timestamptz,
  ADD COLUMN resolved_reason text;

CREATE INDEX dead_letters_by_time ON dead_letters (at, topic, partition, "offset");
CREATE INDEX dead_letters_open ON dead_letters (at, topic, partition, "offset") WHERE resolution IS NULL;
CREATE INDEX dead_letters_resolved ON dead_letters (at, topic, partition, "offset") WHERE resolution IS NOT NULL;
