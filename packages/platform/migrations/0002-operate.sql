-- What every service needs to be operated.

-- What operators did. The id is a UUIDv7 (RFC 9562), so the newest has the highest. PostgreSQL has
-- a function for it only from version 18 on.
CREATE TABLE operator_actions (
  id uuid PRIMARY KEY DEFAULT (
    lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
    || '7'
    || substr(replace(gen_random_uuid()::text, '-', ''), 14)
  )::uuid,
  at       timestamptz NOT NULL DEFAULT now(),
  operator text NOT NULL,
  action   text NOT NULL,
  reason   text,
  request  json NOT NULL,
  result   json NOT NULL
);

-- How far a sentinel has come, and which instance is on watch.
CREATE TABLE sentinel (
  name         text PRIMARY KEY,
  position     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  locked_by    text,
  locked_until timestamptz NOT NULL DEFAULT '-infinity'
);
