-- The name that a user is shown with, in lower case, beside what else users are listed by: a
-- list in the order of these names begins at once, for one organization and for all.
ALTER TABLE users ADD COLUMN display_lower TEXT NOT NULL DEFAULT '';
POSTGRESQL ALTER TABLE users ALTER COLUMN display_lower TYPE TEXT COLLATE "C";
UPDATE users SET display_lower = COALESCE(
  (SELECT h.display_name_lower FROM humans h WHERE h.instance_id = users.instance_id AND h.user_id = users.user_id),
  (SELECT m.name_lower FROM machines m WHERE m.instance_id = users.instance_id AND m.user_id = users.user_id), '');
CREATE INDEX users_display ON users (instance_id, display_lower, user_id);
CREATE INDEX users_org_display ON users (instance_id, org_id, display_lower, user_id);
DROP INDEX humans_display_name;
