-- Users, and what they prove themselves with.

CREATE TABLE users (
  instance_id       TEXT NOT NULL,
  user_id           TEXT NOT NULL,
  org_id            TEXT NOT NULL,
  kind              TEXT NOT NULL,
  state             BIGINT NOT NULL,
  user_name         TEXT NOT NULL,
  user_name_lower   TEXT NOT NULL,
  created           BIGINT NOT NULL,
  changed           BIGINT NOT NULL,
  sequence          BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id)
) CLUSTERED;

CREATE INDEX users_org ON users (instance_id, org_id);
CREATE INDEX users_name ON users (instance_id, user_name_lower);

CREATE TABLE machines (
  instance_id       TEXT NOT NULL,
  user_id           TEXT NOT NULL,
  name              TEXT NOT NULL,
  name_lower        TEXT NOT NULL,
  description       TEXT NOT NULL,
  access_token_type BIGINT NOT NULL,
  -- The SHA-256 of the secret; '' where there is none.
  secret_hash       TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (instance_id, user_id)
) CLUSTERED;

CREATE INDEX machines_secret ON machines (instance_id, secret_hash);

-- What users have who are people. The columns that end in lower are searched.
CREATE TABLE humans (
  instance_id              TEXT NOT NULL,
  user_id                  TEXT NOT NULL,
  first_name               TEXT NOT NULL,
  first_name_lower         TEXT NOT NULL,
  last_name                TEXT NOT NULL,
  last_name_lower          TEXT NOT NULL,
  nick_name                TEXT NOT NULL,
  nick_name_lower          TEXT NOT NULL,
  display_name             TEXT NOT NULL,
  display_name_lower       TEXT NOT NULL,
  preferred_language       TEXT NOT NULL,
  gender                   BIGINT NOT NULL,
  email                    TEXT NOT NULL,
  email_lower              TEXT NOT NULL,
  email_verified           BIGINT NOT NULL,
  phone                    TEXT NOT NULL,
  phone_verified           BIGINT NOT NULL,
  password_hash            TEXT NOT NULL,
  password_change_required BIGINT NOT NULL,
  password_changed         BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id)
) CLUSTERED;

CREATE INDEX humans_email ON humans (instance_id, email_lower);

-- A machine's public keys.
CREATE TABLE machine_keys (
  instance_id TEXT NOT NULL,
  key_id      TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  kind        BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  public_key  TEXT NOT NULL,
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, key_id)
) CLUSTERED;

CREATE INDEX machine_keys_user ON machine_keys (instance_id, user_id);

-- Personal access tokens, by the SHA-256 of the secret. expires 0: never.
CREATE TABLE access_tokens (
  instance_id TEXT NOT NULL,
  token_hash  TEXT NOT NULL,
  token_id    TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  -- What the token was given for: '' is a personal access token, 'secret' the
  -- machine's secret, anything else the id of its key.
  source      TEXT NOT NULL DEFAULT '',
  expires     BIGINT NOT NULL,
  scopes      TEXT NOT NULL,
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, token_hash)
) CLUSTERED;

CREATE INDEX access_tokens_user ON access_tokens (instance_id, user_id);

-- Assertions with an id of their own that gave a token: they give none again.
CREATE TABLE assertions (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  hash        TEXT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, hash)
) CLUSTERED;
