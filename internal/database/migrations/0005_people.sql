-- What lists of people are searched and sorted by, and what people have answered.

-- When the user last declined to set up a second factor; 0: never.
ALTER TABLE humans ADD COLUMN mfa_init_skipped BIGINT NOT NULL DEFAULT 0;
-- How the user was invited, as the event said it; '' where no invitation is open.
ALTER TABLE humans ADD COLUMN invitation TEXT NOT NULL DEFAULT '';

CREATE INDEX humans_first_name ON humans (instance_id, first_name_lower);
CREATE INDEX humans_last_name ON humans (instance_id, last_name_lower);
CREATE INDEX humans_nick_name ON humans (instance_id, nick_name_lower);
CREATE INDEX humans_display_name ON humans (instance_id, display_name_lower);
CREATE INDEX humans_phone ON humans (instance_id, phone);
CREATE INDEX metadata_key ON metadata (instance_id, kind, meta_key_lower);
