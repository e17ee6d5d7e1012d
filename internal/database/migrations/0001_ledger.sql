-- The ledger: what happened (events), where each stream of events ends
-- (aggregates), which values are taken (claims) and what is still to do (jobs).

CREATE TABLE aggregates (
  instance_id TEXT NOT NULL,
  type        TEXT NOT NULL,
  id          TEXT NOT NULL,
  owner       TEXT NOT NULL,
  sequence    BIGINT NOT NULL,
  hash        TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, type, id)
) CLUSTERED;

CREATE TABLE events (
  position       IDENTITY,
  instance_id    TEXT NOT NULL,
  aggregate_type TEXT NOT NULL,
  aggregate_id   TEXT NOT NULL,
  sequence       BIGINT NOT NULL,
  type           TEXT NOT NULL,
  owner          TEXT NOT NULL,
  creator        TEXT NOT NULL,
  created        BIGINT NOT NULL,
  payload        TEXT NOT NULL,
  digest         TEXT NOT NULL,
  hash           TEXT NOT NULL
);

CREATE UNIQUE INDEX events_stream ON events (instance_id, aggregate_type, aggregate_id, sequence);
CREATE INDEX events_order ON events (instance_id, position);
CREATE INDEX events_type ON events (instance_id, type, position);
CREATE INDEX events_owner ON events (instance_id, owner, position);

CREATE TABLE claims (
  instance_id    TEXT NOT NULL,
  kind           TEXT NOT NULL,
  value          TEXT NOT NULL,
  aggregate_type TEXT NOT NULL,
  aggregate_id   TEXT NOT NULL,
  PRIMARY KEY (instance_id, kind, value)
) CLUSTERED;

CREATE INDEX claims_owner ON claims (instance_id, aggregate_type, aggregate_id);

CREATE TABLE jobs (
  id          IDENTITY,
  instance_id TEXT NOT NULL,
  kind        TEXT NOT NULL,
  payload     TEXT NOT NULL,
  due         BIGINT NOT NULL,
  attempts    BIGINT NOT NULL,
  last_error  TEXT NOT NULL
);

CREATE INDEX jobs_due ON jobs (due);
CREATE INDEX jobs_instance ON jobs (instance_id);

-- Instances that are gone. Rows of theirs that are left count for nothing and go
-- away in the background; their events stay.
CREATE TABLE purges (
  instance_id TEXT NOT NULL PRIMARY KEY,
  created     BIGINT NOT NULL
) CLUSTERED;

-- Processes that hand out ids. A lease keeps two of them from using one number.
CREATE TABLE nodes (
  id    BIGINT NOT NULL PRIMARY KEY,
  token TEXT NOT NULL,
  until BIGINT NOT NULL
);

-- The keys that seal secrets, encrypted with a key that is not in the database.

CREATE TABLE vault (
  id      BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  keys    TEXT NOT NULL
);
