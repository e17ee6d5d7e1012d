-- Who carries messages: providers of mail and SMS. Secrets in documents are sealed.
CREATE TABLE providers (
  instance_id TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  sort        TEXT NOT NULL,
  kind        TEXT NOT NULL,
  active      BIGINT NOT NULL,
  document    TEXT NOT NULL,
  created     BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  sequence    BIGINT NOT NULL,
  PRIMARY KEY (instance_id, provider_id)
) CLUSTERED;

-- How much a recipient was sent lately: a slot for each message of a minute.
CREATE TABLE message_slots (
  instance_id TEXT NOT NULL,
  recipient   TEXT NOT NULL,
  slot        BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  PRIMARY KEY (instance_id, recipient, slot)
) CLUSTERED;

CREATE INDEX message_slots_expires ON message_slots (expires);
