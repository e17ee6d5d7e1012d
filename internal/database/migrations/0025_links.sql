-- Accounts of identity providers with which people log in.

CREATE TABLE user_idp_links (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  idp_id      TEXT NOT NULL,
  external_id TEXT NOT NULL, -- of the account there
  name        TEXT NOT NULL, -- of the account there
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, idp_id, external_id)
) CLUSTERED;
