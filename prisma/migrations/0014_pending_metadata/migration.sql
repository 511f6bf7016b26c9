-- What an approved client says it wants to be known as from now on (RFC 7592 §2.2), beside what it was approved as, until
-- somebody has decided.
ALTER TABLE client
  ADD COLUMN pending_metadata JSONB,
  ADD COLUMN pending_digest TEXT,
  ADD COLUMN pending_at TIMESTAMPTZ(3),
  ADD CONSTRAINT client_pending_whole CHECK ((pending_metadata IS NULL) = (pending_digest IS NULL)
    AND (pending_digest IS NULL) = (pending_at IS NULL));
