-- How often in succession each counter of a user was used. Those who do not exist,
-- or cannot try, share a user without an id.
CREATE TABLE user_attempts (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  counter     TEXT NOT NULL,
  attempts    BIGINT NOT NULL,
  -- When the last one began, in microseconds.
  began       BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, counter)
) CLUSTERED;
