-- The organization of what a role is on: the organization itself, that of the project,
-- or the one that the project is granted to; '' for the instance. Neither can change,
-- and whoever calls is asked for their roles at every request.
ALTER TABLE member_roles ADD COLUMN org_id TEXT NOT NULL DEFAULT '';

UPDATE member_roles SET org_id = object_id WHERE kind = 'org';
UPDATE member_roles SET org_id = COALESCE((SELECT p.org_id FROM projects p
  WHERE p.instance_id = member_roles.instance_id AND p.project_id = member_roles.object_id), '') WHERE kind = 'project';
UPDATE member_roles SET org_id = COALESCE((SELECT g.granted_org_id FROM project_grants g
  WHERE g.instance_id = member_roles.instance_id AND g.grant_id = member_roles.object_id), '') WHERE kind = 'project_grant';
