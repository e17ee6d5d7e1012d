-- Pairs of keys that sign what an instance issues. The private key is sealed, the
-- public one a JWK. config is JSON: what the pair was made from.
CREATE TABLE web_keys (
  instance_id TEXT NOT NULL,
  key_id      TEXT NOT NULL,
  state       BIGINT NOT NULL,
  kind        TEXT NOT NULL,
  config      TEXT NOT NULL,
  algorithm   TEXT NOT NULL,
  private_key TEXT NOT NULL,
  public_key  TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, key_id)
) CLUSTERED;
