-- The usual order of lists of users, in an instance and in an organization.
CREATE INDEX users_created ON users (instance_id, created, user_id);
DROP INDEX users_org;
CREATE INDEX users_org ON users (instance_id, org_id, created, user_id);
