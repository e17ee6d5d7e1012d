-- Pictures and fonts of the looks of an instance (org_id '') or of an organization, by a
-- digest of what they are. The events hold them, too.
CREATE TABLE assets (
  instance_id TEXT NOT NULL,
  asset_key   TEXT NOT NULL,
  org_id      TEXT NOT NULL,
  media_type  TEXT NOT NULL,
  data        TEXT NOT NULL,
  PRIMARY KEY (instance_id, asset_key)
) CLUSTERED;

CREATE INDEX assets_org ON assets (instance_id, org_id);
