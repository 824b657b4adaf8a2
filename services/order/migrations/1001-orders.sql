-- Columns that are written once come first, those that are rewritten last. No index has a column
-- that every order changes (status, sequence), or every transition would lose HOT: `attention` is
-- null on the happy way.
CREATE TABLE orders (
  order_id            uuid PRIMARY KEY,
  customer_id         text COLLATE "C" NOT NULL,
  customer_name       text NOT NULL,
  currency            text,
  items               json NOT NULL,
  item_count          integer NOT NULL,
  total               numeric,
  created_at          timestamptz NOT NULL,
  status              text NOT NULL,
  sequence            integer NOT NULL DEFAULT 0,
  publish_failed      boolean NOT NULL,
  attention           text,
  updated_at          timestamptz NOT NULL,
  fulfillment         json,
  -- Kept so that the order's event can be made again.
  correlation_id      text,
  -- The outcome of the request is the order's status: Cancelled, or another final one (too late).
  cancel_requested_at timestamptz,
  cancel_reason       text
) WITH (fillfactor = 55);

CREATE INDEX orders_of_customer ON orders (customer_id, order_id DESC);

CREATE INDEX orders_with_attention ON orders (attention, order_id DESC)
  WHERE attention IS NOT NULL;

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

-- Which orders changed, for those who follow them live: one row of each statement that changes
-- orders. The writer's transaction and a snapshot say exactly which changes were committed since
-- the last look, in whatever order. Kept for minutes.
CREATE TABLE order_changes (
  xid       xid8 PRIMARY KEY DEFAULT pg_current_xact_id(),
  at        timestamptz NOT NULL DEFAULT now(),
  order_ids uuid[] NOT NULL
) WITH (
  toast_tuple_target = 8160,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000
);

-- Five hundred ids fit into a row of one page: to compress them, or to store them elsewhere, would
-- only cost time.
ALTER TABLE order_changes ALTER COLUMN order_ids SET STORAGE EXTERNAL;

-- Orders that were not final when the sentinel came by. `reason` is null until one exceeds the
-- deadline of its state.
CREATE TABLE watched (
  order_id   uuid PRIMARY KEY,
  entered_at timestamptz NOT NULL DEFAULT now(),
  reason     text,
  since      timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX watched_stuck ON watched (order_id) INCLUDE (reason) WHERE reason IS NOT NULL;

INSERT INTO sentinel (name) VALUES ('orders');
