-- Run once, on an empty volume: a role and a database for each service. Only that role may connect
-- to it.
\getenv orders_password ORDERS_DATABASE_PASSWORD
\getenv fulfillment_password FULFILLMENT_DATABASE_PASSWORD

CREATE ROLE orders LOGIN PASSWORD :'orders_password';
CREATE DATABASE orders OWNER orders;
REVOKE ALL ON DATABASE orders FROM PUBLIC;

CREATE ROLE fulfillment LOGIN PASSWORD :'fulfillment_password';
CREATE DATABASE fulfillment OWNER fulfillment;
REVOKE ALL ON DATABASE fulfillment FROM PUBLIC;
