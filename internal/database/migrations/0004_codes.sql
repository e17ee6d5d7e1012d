-- One-time codes that were sent or handed out, sealed.
CREATE TABLE user_codes (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  purpose     TEXT NOT NULL,
  code_id     TEXT NOT NULL,
  sealed      TEXT NOT NULL,
  attempts    BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, purpose, code_id)
) CLUSTERED;

CREATE INDEX user_codes_expires ON user_codes (expires);
