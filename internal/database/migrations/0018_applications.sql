-- Applications of projects and the keys that they sign with. kind is "oidc", "api"
-- or "saml", and document says how the application is set up, as its events do.

-- client_id is empty where the application is no client of OAuth.
CREATE TABLE applications (
  instance_id TEXT NOT NULL,
  app_id      TEXT NOT NULL,
  project_id  TEXT NOT NULL,
  org_id      TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  name        TEXT NOT NULL,
  name_lower  TEXT NOT NULL,
  kind        TEXT NOT NULL,
  state       BIGINT NOT NULL,
  secret_hash TEXT NOT NULL,
  document    TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, app_id)
) CLUSTERED;

CREATE UNIQUE INDEX applications_client ON applications (instance_id, client_id) WHERE client_id <> '';
CREATE INDEX applications_project ON applications (instance_id, project_id, app_id);
CREATE INDEX applications_name ON applications (instance_id, name_lower, app_id);
CREATE INDEX applications_created ON applications (instance_id, created, app_id);

-- expires is 0 where a key does not end.
CREATE TABLE application_keys (
  instance_id TEXT NOT NULL,
  key_id      TEXT NOT NULL,
  app_id      TEXT NOT NULL,
  client_id   TEXT NOT NULL,
  public_key  TEXT NOT NULL,
  kind        BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, key_id)
) CLUSTERED;

CREATE INDEX application_keys_app ON application_keys (instance_id, app_id, key_id);
