-- Whose names collide with whose: '' where a user name is the login name, the
-- organization where its domains complete it. What was added without a word about
-- it counts as completed, as it does on replay.
ALTER TABLE users ADD COLUMN login_scope TEXT NOT NULL DEFAULT '';
-- What follows the last @ of the name, in lower case; '' where there is none.
ALTER TABLE users ADD COLUMN login_domain TEXT NOT NULL DEFAULT '';

UPDATE users SET login_scope = org_id;
UPDATE users SET login_domain = substr(user_name_lower, length(rtrim(user_name_lower, replace(user_name_lower, '@', ''))) + 1)
  WHERE user_name_lower LIKE '%@%';

DROP INDEX users_name;
CREATE UNIQUE INDEX users_login ON users (instance_id, user_name_lower, login_scope);
CREATE INDEX users_login_domain ON users (instance_id, login_domain);
DELETE FROM claims WHERE kind = 'user.name';

-- A job for each instance makes names plain where its domain policy says so.
INSERT INTO jobs (instance_id, kind, payload, due, attempts, last_error)
  SELECT instance_id, 'user.names', '{}', 0, 0, '' FROM instances;
