-- Secrets of machine users, the tokens that keys and secrets give, and what
-- lists of users are searched by.

ALTER TABLE machines ADD COLUMN name_lower TEXT NOT NULL DEFAULT '';

-- The SHA-256 of the secret; '' where there is none.
ALTER TABLE machines ADD COLUMN secret_hash TEXT NOT NULL DEFAULT '';

-- What a token was given for: '' is a personal access token, 'secret' the
-- machine's secret, anything else the id of its key.
ALTER TABLE access_tokens ADD COLUMN source TEXT NOT NULL DEFAULT '';

-- Assertions with an id of their own that gave a token: they give none again.
CREATE TABLE assertions (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  hash        TEXT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, hash)
) CLUSTERED;

CREATE INDEX machines_secret ON machines (instance_id, secret_hash);

CREATE INDEX users_name ON users (instance_id, user_name_lower);
