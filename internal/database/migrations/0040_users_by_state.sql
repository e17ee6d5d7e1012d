-- Few users are locked or machines: a list of them begins with the newest at once.
CREATE INDEX users_state ON users (instance_id, state, created, user_id);
CREATE INDEX users_kind ON users (instance_id, kind, created, user_id);
