-- Which kinds of factors each user has set up, in one number: a bit for each kind, as
-- in package user. Users without any have no row.
CREATE TABLE user_factor_sets (
  instance_id TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  org_id      TEXT NOT NULL,
  factors     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, user_id)
) CLUSTERED;

CREATE INDEX user_factor_sets_org ON user_factor_sets (instance_id, org_id, factors);

INSERT INTO user_factor_sets (instance_id, user_id, org_id, factors)
SELECT f.instance_id, f.user_id, u.org_id,
  SUM(DISTINCT CASE f.kind WHEN 'totp' THEN 1 WHEN 'u2f' THEN 2 WHEN 'passkey' THEN 4 WHEN 'otp_sms' THEN 8 WHEN 'otp_email' THEN 16 WHEN 'recovery' THEN 32 ELSE 0 END)
FROM user_factors f JOIN users u ON u.instance_id = f.instance_id AND u.user_id = f.user_id
WHERE f.state = 2 GROUP BY f.instance_id, f.user_id, u.org_id;
