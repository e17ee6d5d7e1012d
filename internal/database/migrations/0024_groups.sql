-- Groups of an organization, and who is in them.

CREATE TABLE user_groups (
  instance_id TEXT NOT NULL,
  group_id    TEXT NOT NULL,
  org_id      TEXT NOT NULL,
  name        TEXT NOT NULL,
  name_lower  TEXT NOT NULL,
  description TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, group_id)
) CLUSTERED;

CREATE INDEX user_groups_org ON user_groups (instance_id, org_id);

CREATE TABLE group_users (
  instance_id TEXT NOT NULL,
  group_id    TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  created     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, group_id, user_id)
) CLUSTERED;

CREATE INDEX group_users_user ON group_users (instance_id, user_id);
