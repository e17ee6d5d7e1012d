-- Removed instances, what instances are sorted by, and people.

-- Instances that are gone. Rows of theirs that are left count for nothing and go
-- away in the background; their events stay.
CREATE TABLE purges (
  instance_id TEXT NOT NULL PRIMARY KEY,
  created     BIGINT NOT NULL
) CLUSTERED;

CREATE INDEX jobs_instance ON jobs (instance_id);

ALTER TABLE instances ADD COLUMN name_lower TEXT NOT NULL DEFAULT '';

-- A state is numbered as on the wire from now on.
UPDATE instances SET name_lower = lower(name), state = 2;

CREATE INDEX instances_created ON instances (created, instance_id);

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
