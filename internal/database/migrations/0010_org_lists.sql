-- What lists of organizations and of metadata are sorted and searched by.

CREATE INDEX orgs_created ON orgs (instance_id, created, org_id);

ALTER TABLE metadata ADD COLUMN meta_key_lower TEXT NOT NULL DEFAULT '';
