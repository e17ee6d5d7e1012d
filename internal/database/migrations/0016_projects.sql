-- Projects, their roles, and their grants to other organizations. Who administers
-- them is in members, of kind "project" and "project_grant".

CREATE TABLE projects (
  instance_id      TEXT NOT NULL,
  project_id       TEXT NOT NULL,
  org_id           TEXT NOT NULL,
  state            BIGINT NOT NULL,
  name             TEXT NOT NULL,
  name_lower       TEXT NOT NULL,
  role_assertion   BIGINT NOT NULL,
  role_check       BIGINT NOT NULL,
  org_check        BIGINT NOT NULL,
  private_labeling BIGINT NOT NULL,
  created          BIGINT NOT NULL,
  changed          BIGINT NOT NULL,
  sequence         BIGINT NOT NULL,
  PRIMARY KEY (instance_id, project_id)
) CLUSTERED;

CREATE INDEX projects_org ON projects (instance_id, org_id, project_id);
CREATE INDEX projects_name ON projects (instance_id, name_lower, project_id);
CREATE INDEX projects_created ON projects (instance_id, created, project_id);

CREATE TABLE project_roles (
  instance_id        TEXT NOT NULL,
  project_id         TEXT NOT NULL,
  role_key           TEXT NOT NULL,
  role_key_lower     TEXT NOT NULL,
  display_name       TEXT NOT NULL,
  display_name_lower TEXT NOT NULL,
  role_group         TEXT NOT NULL,
  created            BIGINT NOT NULL,
  changed            BIGINT NOT NULL,
  sequence           BIGINT NOT NULL,
  PRIMARY KEY (instance_id, project_id, role_key)
) CLUSTERED;

-- org_id is whose project it is, granted_org_id to whom it is granted.
CREATE TABLE project_grants (
  instance_id    TEXT NOT NULL,
  grant_id       TEXT NOT NULL,
  project_id     TEXT NOT NULL,
  org_id         TEXT NOT NULL,
  granted_org_id TEXT NOT NULL,
  state          BIGINT NOT NULL,
  created        BIGINT NOT NULL,
  changed        BIGINT NOT NULL,
  sequence       BIGINT NOT NULL,
  PRIMARY KEY (instance_id, grant_id)
) CLUSTERED;

CREATE UNIQUE INDEX project_grants_project ON project_grants (instance_id, project_id, granted_org_id);
CREATE INDEX project_grants_granted ON project_grants (instance_id, granted_org_id, grant_id);
CREATE INDEX project_grants_created ON project_grants (instance_id, created, grant_id);

CREATE TABLE project_grant_roles (
  instance_id TEXT NOT NULL,
  grant_id    TEXT NOT NULL,
  role_key    TEXT NOT NULL,
  place       BIGINT NOT NULL,
  PRIMARY KEY (instance_id, grant_id, role_key)
) CLUSTERED;

CREATE INDEX project_grant_roles_role ON project_grant_roles (instance_id, role_key, grant_id);
