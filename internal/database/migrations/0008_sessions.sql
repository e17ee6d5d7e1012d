-- Sessions: what somebody proved about who they are, and when. Times are 0 where
-- something was not proved. One that ended keeps its ids and nothing else.
CREATE TABLE sessions (
  instance_id       TEXT NOT NULL,
  session_id        TEXT NOT NULL,
  creator           TEXT NOT NULL,
  -- The SHA-256 of the newest token.
  token_hash        TEXT NOT NULL,
  fingerprint       TEXT NOT NULL,
  -- JSON; '' where nothing is known.
  user_agent        TEXT NOT NULL,
  -- '' with a time of the check: somebody whom nobody knows by the name given.
  user_id           TEXT NOT NULL,
  user_org          TEXT NOT NULL,
  -- When the user was made: another one of the same id is somebody else.
  user_since        BIGINT NOT NULL,
  user_checked      BIGINT NOT NULL,
  password_checked  BIGINT NOT NULL,
  webauthn_checked  BIGINT NOT NULL,
  -- 1: the key also verified who used it.
  webauthn_verified BIGINT NOT NULL,
  totp_checked      BIGINT NOT NULL,
  sms_checked       BIGINT NOT NULL,
  email_checked     BIGINT NOT NULL,
  recovery_checked  BIGINT NOT NULL,
  -- 0: never.
  expires           BIGINT NOT NULL,
  weakened          BIGINT NOT NULL,
  ended             BIGINT NOT NULL,
  created           BIGINT NOT NULL,
  changed           BIGINT NOT NULL,
  sequence          BIGINT NOT NULL,
  PRIMARY KEY (instance_id, session_id)
) CLUSTERED;

CREATE INDEX sessions_token ON sessions (instance_id, token_hash);
CREATE INDEX sessions_user ON sessions (instance_id, user_id);
CREATE INDEX sessions_created ON sessions (instance_id, ended, created, session_id);

CREATE TABLE session_metadata (
  instance_id TEXT NOT NULL,
  session_id  TEXT NOT NULL,
  meta_key    TEXT NOT NULL,
  value       TEXT NOT NULL,
  PRIMARY KEY (instance_id, session_id, meta_key)
) CLUSTERED;
