-- The key that a token is bound to, by its thumbprint (RFC 9449); '' where there is none.
ALTER TABLE oidc_access_tokens ADD COLUMN key_thumbprint TEXT NOT NULL DEFAULT '';

ALTER TABLE access_tokens ADD COLUMN key_thumbprint TEXT NOT NULL DEFAULT '';

-- The same of the refresh tokens of a family.
ALTER TABLE oidc_sessions ADD COLUMN refresh_key TEXT NOT NULL DEFAULT '';

-- Proofs of keys that were used: they prove nothing again.
CREATE TABLE oauth_proofs (
  instance_id TEXT NOT NULL,
  hash        TEXT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, hash)
) CLUSTERED;

CREATE INDEX oauth_proofs_expires ON oauth_proofs (expires);
