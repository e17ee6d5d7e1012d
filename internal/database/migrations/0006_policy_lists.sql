-- Lists of one kind of settings over all organizations, oldest or newest first.

CREATE INDEX policies_kind ON policies (instance_id, kind, created, org_id);
