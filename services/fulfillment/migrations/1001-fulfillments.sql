-- The rows are the work queue: `due_at` is the next attempt or the end of the lease. A final
-- fulfillment has none.
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
  -- When its last attempt was put on record.
  attempted_at     timestamptz,
  -- An attempt was open once: a refusal is looked up before the order fails.
  was_unknown      boolean NOT NULL DEFAULT false,
  refusal          text,
  -- Ends by an operator only.
  held             boolean NOT NULL DEFAULT false,
  -- By an operator: it stays Failed, and no filter of a retry matches it.
  given_up         boolean NOT NULL DEFAULT false,
  -- It waits for the provider, not for itself.
  waits_for_provider boolean NOT NULL DEFAULT false,
  settle_at        timestamptz,
  due_at           timestamptz,
  tracking_number  text,
  carrier          text,
  shipped_at       timestamptz,
  error            text,
  failed_attempts  text NOT NULL DEFAULT '[]',
  updated_at       timestamptz NOT NULL DEFAULT now(),
  -- When the broker was given the order's event: beside topic, partition and offset.
  published_at     timestamptz,
  -- An operator's retry begins a new budget of attempts and a new deadline, and may send again what
  -- waits for an operator.
  attempts_before  integer NOT NULL DEFAULT 0,
  retried_at       timestamptz,
  may_resend       boolean NOT NULL DEFAULT false,
  -- Marked by a request to cancel, under the row's lock; see filing-store.ts.
  cancel_requested boolean NOT NULL DEFAULT false
) WITH (fillfactor = 65, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX fulfillments_due ON fulfillments (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX fulfillments_with_attention ON fulfillments (state, order_id DESC)
  WHERE state IN ('Retrying', 'Failed', 'Cancelled');

-- Requests to cancel, also of orders that are not filed yet: a request may overtake its order.
-- Read before every sending.
CREATE TABLE cancellations (
  order_id         uuid PRIMARY KEY,
  source_topic     text NOT NULL,
  source_partition integer NOT NULL,
  source_offset    bigint NOT NULL,
  reason           text,
  filed_at         timestamptz NOT NULL DEFAULT now()
);

-- A mode that an operator forces is in force for every instance; no row means automatic.
CREATE TABLE breakers (
  name       text PRIMARY KEY,
  mode       text NOT NULL,
  changed_by text NOT NULL,
  reason     text,
  changed_at timestamptz NOT NULL DEFAULT now()
);

-- What each instance last reported of itself.
CREATE TABLE instances (
  instance      text PRIMARY KEY,
  breaker_state text NOT NULL,
  breaker_since timestamptz NOT NULL,
  last_error    text,
  call_limit    integer NOT NULL,
  paused_until  timestamptz,
  failing_orders uuid[] NOT NULL DEFAULT '{}',
  calls         integer NOT NULL,
  seen_at       timestamptz NOT NULL DEFAULT now()
);

-- Fulfillments that exceed the deadline of their state.
CREATE TABLE watched (
  order_id uuid PRIMARY KEY,
  reason   text NOT NULL,
  since    timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.05);

INSERT INTO sentinel (name) VALUES ('fulfillments');
