-- The pictures of people: assets that go with them. Those of looks have the user_id ''.
ALTER TABLE humans ADD COLUMN avatar TEXT NOT NULL DEFAULT '';
ALTER TABLE assets ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
CREATE INDEX assets_user ON assets (instance_id, user_id);
