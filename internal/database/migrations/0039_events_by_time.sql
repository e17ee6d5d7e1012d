-- The log is searched in the order of time, by who caused what happened, by its kind, by whose
-- it is and by what it happened to: each of them leads to its first events at once. Where
-- several are asked for, SQLite takes the index that was made last, so the best comes last.
CREATE UNIQUE INDEX events_object ON events (instance_id, aggregate_id, aggregate_type, sequence);
DROP INDEX events_stream;
CREATE INDEX events_created ON events (instance_id, created);
DROP INDEX events_order;
CREATE INDEX events_aggregate ON events (instance_id, aggregate_type, created);
CREATE INDEX events_of ON events (instance_id, owner, created);
DROP INDEX events_owner;
CREATE INDEX events_kind ON events (instance_id, type, created);
DROP INDEX events_type;
CREATE INDEX events_creator ON events (instance_id, creator, created);
