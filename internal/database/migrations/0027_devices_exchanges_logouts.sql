-- Devices without a browser, whose users log in on another one (RFC 8628). Both codes
-- are kept as their SHA-256.
CREATE TABLE device_authorizations (
  instance_id TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  device_hash TEXT NOT NULL,
  user_hash   TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  -- Separated by spaces.
  scopes      TEXT NOT NULL,
  -- 0: waits for its user, 1: allowed, 2: denied.
  state       BIGINT NOT NULL,
  -- Seconds between two questions of the device, and when it asked last; 0: never.
  pause       BIGINT NOT NULL,
  asked       BIGINT NOT NULL,
  created     BIGINT NOT NULL,
  -- When the codes end; the row stays a while longer, to say so.
  ends        BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, request_id)
) CLUSTERED;

CREATE UNIQUE INDEX device_authorizations_device ON device_authorizations (instance_id, device_hash);
CREATE UNIQUE INDEX device_authorizations_user ON device_authorizations (instance_id, user_hash);
CREATE INDEX device_authorizations_expires ON device_authorizations (expires);

-- How often somebody typed a code that no device waits with.
CREATE TABLE device_guesses (
  instance_id TEXT NOT NULL,
  -- A caller or an address.
  guesser     TEXT NOT NULL,
  tries       BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, guesser)
) CLUSTERED;

CREATE INDEX device_guesses_expires ON device_guesses (expires);

-- What a family rests on besides its login, as JSON: the tokens that it was exchanged
-- for (RFC 8693). '' where it is a login's own.
ALTER TABLE oidc_sessions ADD COLUMN exchange TEXT NOT NULL DEFAULT '';

-- Which applications are to be told when a session ends (OpenID Connect Back-Channel
-- Logout 1.0).
CREATE TABLE session_logouts (
  instance_id TEXT NOT NULL,
  session_id  TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  -- The issuer as the application knows it.
  issuer      TEXT NOT NULL,
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, session_id, client_id)
) CLUSTERED;

CREATE INDEX session_logouts_user ON session_logouts (instance_id, user_id);
