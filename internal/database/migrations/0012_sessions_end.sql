-- Sessions are found by whose they are when a user or an organization is removed,
-- and those that have ended are passed over.
CREATE INDEX sessions_open ON sessions (instance_id, user_id, ended, session_id);
CREATE INDEX sessions_org ON sessions (instance_id, user_org, session_id);
DROP INDEX sessions_user;

-- A session that has ended is of no organization.
UPDATE sessions SET user_org = '' WHERE ended = 1;
