-- The token of a session names it, so that it is found by its id: an index of hashes, which
-- are spread at random, costs a page of the disk for every new session. Sessions whose tokens
-- name nothing are still found by their hash.
ALTER TABLE sessions ADD COLUMN by_hash BIGINT NOT NULL DEFAULT 1;
CREATE INDEX sessions_by_hash ON sessions (instance_id, token_hash) WHERE by_hash = 1;
DROP INDEX sessions_token;
