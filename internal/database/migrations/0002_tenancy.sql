-- Instances and organizations, who administers them, and their policies.

CREATE TABLE instances (
  instance_id      TEXT NOT NULL PRIMARY KEY,
  name             TEXT NOT NULL,
  name_lower       TEXT NOT NULL,
  state            BIGINT NOT NULL,
  default_org      TEXT NOT NULL,
  default_language TEXT NOT NULL,
  created          BIGINT NOT NULL,
  changed          BIGINT NOT NULL,
  sequence         BIGINT NOT NULL
) CLUSTERED;

CREATE INDEX instances_created ON instances (created, instance_id);

-- The domain leads: it is what finds the instance.
CREATE TABLE instance_domains (
  domain      TEXT NOT NULL PRIMARY KEY,
  instance_id TEXT NOT NULL,
  is_primary  BIGINT NOT NULL,
  generated   BIGINT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL
) CLUSTERED;

CREATE INDEX instance_domains_instance ON instance_domains (instance_id);

CREATE TABLE trusted_domains (
  instance_id TEXT NOT NULL,
  domain      TEXT NOT NULL,
  created     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, domain)
) CLUSTERED;

CREATE TABLE orgs (
  instance_id    TEXT NOT NULL,
  org_id         TEXT NOT NULL,
  name           TEXT NOT NULL,
  name_lower     TEXT NOT NULL,
  state          BIGINT NOT NULL,
  primary_domain TEXT NOT NULL,
  created        BIGINT NOT NULL,
  changed        BIGINT NOT NULL,
  sequence       BIGINT NOT NULL,
  PRIMARY KEY (instance_id, org_id)
) CLUSTERED;

CREATE INDEX orgs_name ON orgs (instance_id, name_lower, org_id);
CREATE INDEX orgs_created ON orgs (instance_id, created, org_id);

CREATE TABLE org_domains (
  instance_id     TEXT NOT NULL,
  org_id          TEXT NOT NULL,
  domain          TEXT NOT NULL,
  verified        BIGINT NOT NULL,
  is_primary      BIGINT NOT NULL,
  validation_type BIGINT NOT NULL,
  validation_code TEXT NOT NULL,
  created         BIGINT NOT NULL,
  changed         BIGINT NOT NULL,
  sequence        BIGINT NOT NULL,
  PRIMARY KEY (instance_id, org_id, domain)
) CLUSTERED;

CREATE INDEX org_domains_domain ON org_domains (instance_id, domain);

-- Key and value pairs of an object: kind is the type of its aggregate.
CREATE TABLE metadata (
  instance_id TEXT NOT NULL,
  kind        TEXT NOT NULL,
  object_id   TEXT NOT NULL,
  meta_key    TEXT NOT NULL,
  meta_key_lower TEXT NOT NULL,
  value       TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, kind, object_id, meta_key)
) CLUSTERED;

-- Members of an instance (kind "instance") or of an organization (kind "org").
CREATE TABLE members (
  instance_id TEXT NOT NULL,
  kind        TEXT NOT NULL,
  object_id   TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, kind, object_id, user_id)
) CLUSTERED;

CREATE TABLE member_roles (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  object_id   TEXT NOT NULL,
  role        TEXT NOT NULL,
  place       BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id, kind, object_id, role)
) CLUSTERED;

CREATE INDEX member_roles_object ON member_roles (instance_id, kind, object_id);

-- Settings of an instance (org_id '') or of an organization, one document each.
CREATE TABLE policies (
  instance_id TEXT NOT NULL,
  org_id      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  document    TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, org_id, kind)
) CLUSTERED;

CREATE INDEX policies_kind ON policies (instance_id, kind, created, org_id);
