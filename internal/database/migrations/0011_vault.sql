-- The keys that seal secrets, encrypted with a key that is not in the database.

CREATE TABLE vault (
  id      BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  keys    TEXT NOT NULL
);
