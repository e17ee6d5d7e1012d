-- Names are searched and sorted by their bytes, whatever the language that the database was
-- made for: only so can an index give those that begin with a text. SQLite knows no other way.
POSTGRESQL ALTER TABLE users ALTER COLUMN user_name_lower TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE machines ALTER COLUMN name_lower TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE humans
  ALTER COLUMN first_name_lower TYPE TEXT COLLATE "C",
  ALTER COLUMN last_name_lower TYPE TEXT COLLATE "C",
  ALTER COLUMN nick_name_lower TYPE TEXT COLLATE "C",
  ALTER COLUMN display_name_lower TYPE TEXT COLLATE "C",
  ALTER COLUMN email_lower TYPE TEXT COLLATE "C",
  ALTER COLUMN phone TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE orgs ALTER COLUMN name_lower TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE projects ALTER COLUMN name_lower TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE applications ALTER COLUMN name_lower TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE user_groups ALTER COLUMN name_lower TYPE TEXT COLLATE "C";
POSTGRESQL ALTER TABLE metadata ALTER COLUMN meta_key_lower TYPE TEXT COLLATE "C";
