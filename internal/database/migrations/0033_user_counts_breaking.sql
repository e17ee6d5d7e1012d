-- How many users an organization has of each kind, in parts that add up: those who were
-- made at once are of one part, so that writers seldom wait for each other.
CREATE TABLE user_counts (
  instance_id TEXT NOT NULL,
  org_id      TEXT NOT NULL,
  kind        TEXT NOT NULL,
  part        BIGINT NOT NULL,
  n           BIGINT NOT NULL,
  PRIMARY KEY (instance_id, org_id, kind, part)
) CLUSTERED;

INSERT INTO user_counts (instance_id, org_id, kind, part, n)
  SELECT instance_id, org_id, kind, created % 16, COUNT(*) FROM users GROUP BY instance_id, org_id, kind, created % 16;
