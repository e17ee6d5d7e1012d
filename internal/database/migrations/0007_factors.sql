-- What people prove themselves with besides a password: a row for each key, for
-- the authenticator app, and for each recovery code that is left.
CREATE TABLE user_factors (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  factor_id   TEXT NOT NULL,
  kind        TEXT NOT NULL,
  state       BIGINT NOT NULL,
  name        TEXT NOT NULL,
  -- Of keys: what is public about them, as JSON.
  document    TEXT NOT NULL,
  -- Of the authenticator app: the sealed secret.
  secret      TEXT NOT NULL,
  -- What only grows: the sign count of a key, the last step of an authenticator app.
  counter     BIGINT NOT NULL,
  -- Of keys: whether there is a copy elsewhere.
  backed_up   BIGINT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, factor_id)
) CLUSTERED;

-- Registrations of keys that have begun. A user has one of a kind at a time.
CREATE TABLE user_challenges (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  factor_id   TEXT NOT NULL,
  state       TEXT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, kind)
) CLUSTERED;

CREATE INDEX user_challenges_expires ON user_challenges (expires);
