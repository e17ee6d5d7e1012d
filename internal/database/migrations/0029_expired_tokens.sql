-- Each new token forgets those of its owner that have expired. It finds them without
-- looking at the others, of which there may be many.
DROP INDEX access_tokens_user;
CREATE INDEX access_tokens_user ON access_tokens (instance_id, user_id, expires);
CREATE INDEX assertions_expired ON assertions (instance_id, user_id, expires);
DROP INDEX oidc_access_tokens_family;
CREATE INDEX oidc_access_tokens_family ON oidc_access_tokens (instance_id, family_id, expires);
