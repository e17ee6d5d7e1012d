-- What clients ask for and get in OAuth 2.0 and OpenID Connect. All secrets are kept
-- as their SHA-256.

-- A request that waits for its user to log in, or the parts of its answer that
-- wait for a browser to fetch them.
CREATE TABLE oauth_requests (
  instance_id TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  document    TEXT NOT NULL,
  created     BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, request_id)
) CLUSTERED;

CREATE INDEX oauth_requests_expires ON oauth_requests (expires);

-- Authorization codes that nobody has used yet.
CREATE TABLE oauth_codes (
  instance_id TEXT NOT NULL,
  code_hash   TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  user_org    TEXT NOT NULL,
  user_since  BIGINT NOT NULL,
  session_id  TEXT NOT NULL,
  document    TEXT NOT NULL,
  created     BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, code_hash)
) CLUSTERED;

CREATE INDEX oauth_codes_expires ON oauth_codes (expires);

-- Signed proofs of clients that were used: they prove nothing again.
CREATE TABLE oauth_assertions (
  instance_id TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  hash        TEXT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, client_id, hash)
) CLUSTERED;

CREATE INDEX oauth_assertions_expires ON oauth_assertions (expires);

-- A family of tokens: what one login gave to one client. Lists are separated by
-- spaces. One that ended has no row.
CREATE TABLE oidc_sessions (
  instance_id     TEXT NOT NULL,
  family_id       TEXT NOT NULL,
  client_id       TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  user_org        TEXT NOT NULL,
  -- When the user was made: another one of the same id is somebody else.
  user_since      BIGINT NOT NULL,
  session_id      TEXT NOT NULL,
  scopes          TEXT NOT NULL,
  audience        TEXT NOT NULL,
  auth_methods    TEXT NOT NULL,
  auth_time       BIGINT NOT NULL,
  acr             TEXT NOT NULL,
  nonce           TEXT NOT NULL,
  language        TEXT NOT NULL,
  -- Of the authorization code that gave it; '' where there was none.
  code_hash       TEXT NOT NULL,
  -- Of the two halves of the refresh token: the first is that of every refresh
  -- token of the family, the second that of the newest. '' where there is none.
  refresh_family  TEXT NOT NULL,
  refresh_hash    TEXT NOT NULL,
  refresh_id      TEXT NOT NULL,
  refresh_idle    BIGINT NOT NULL,
  refresh_expires BIGINT NOT NULL,
  created         BIGINT NOT NULL,
  changed         BIGINT NOT NULL,
  sequence        BIGINT NOT NULL,
  PRIMARY KEY (instance_id, family_id)
) CLUSTERED;

CREATE INDEX oidc_sessions_code ON oidc_sessions (instance_id, code_hash);
CREATE INDEX oidc_sessions_refresh ON oidc_sessions (instance_id, refresh_family);
CREATE INDEX oidc_sessions_session ON oidc_sessions (instance_id, session_id);
CREATE INDEX oidc_sessions_user ON oidc_sessions (instance_id, user_id);

CREATE TABLE oidc_access_tokens (
  instance_id TEXT NOT NULL,
  token_hash  TEXT NOT NULL,
  token_id    TEXT NOT NULL,
  family_id   TEXT NOT NULL,
  scopes      TEXT NOT NULL,
  -- 1: it is for our own API.
  api         BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, token_hash)
) CLUSTERED;

CREATE INDEX oidc_access_tokens_family ON oidc_access_tokens (instance_id, family_id);
