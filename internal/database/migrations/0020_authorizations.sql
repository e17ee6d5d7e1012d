-- Who has which roles in a project. org_id is the organization that gives them: the
-- project's own, or the one to which project_grant_id grants it; '' for its own.
CREATE TABLE user_grants (
  instance_id      TEXT NOT NULL,
  grant_id         TEXT NOT NULL,
  org_id           TEXT NOT NULL,
  user_id          TEXT NOT NULL,
  project_id       TEXT NOT NULL,
  project_grant_id TEXT NOT NULL,
  state            BIGINT NOT NULL,
  created          BIGINT NOT NULL,
  changed          BIGINT NOT NULL,
  sequence         BIGINT NOT NULL,
  PRIMARY KEY (instance_id, grant_id)
) CLUSTERED;

CREATE INDEX user_grants_user ON user_grants (instance_id, user_id, project_id);
CREATE INDEX user_grants_project ON user_grants (instance_id, project_id, project_grant_id, grant_id);
CREATE INDEX user_grants_org ON user_grants (instance_id, org_id, created, grant_id);
CREATE INDEX user_grants_created ON user_grants (instance_id, created, grant_id);

CREATE TABLE user_grant_roles (
  instance_id TEXT NOT NULL,
  grant_id    TEXT NOT NULL,
  role_key    TEXT NOT NULL,
  role_lower  TEXT NOT NULL,
  project_id  TEXT NOT NULL,
  place       BIGINT NOT NULL,
  PRIMARY KEY (instance_id, grant_id, role_key)
) CLUSTERED;

CREATE INDEX user_grant_roles_project ON user_grant_roles (instance_id, project_id, role_key, grant_id);
