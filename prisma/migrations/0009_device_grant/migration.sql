-- A device that shows a code and waits (RFC 8628). What a person claims through it is an ordinary authorization
-- transaction: the device code is the PKCE verifier of its code, so that approving, minting and every race are the same.
CREATE TABLE device_request (
  id TEXT PRIMARY KEY,
  code_challenge TEXT NOT NULL,
  user_code_digest TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 99),
  choices INTEGER[] NOT NULL,
  client_id TEXT NOT NULL,
  resource TEXT,
  scope TEXT NOT NULL DEFAULT '',
  address TEXT,
  source_prefix TEXT NOT NULL,
  user_agent TEXT,
  state TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'opened', 'matched', 'settled', 'ended')),
  person_id TEXT,
  session_id TEXT,
  created_at TIMESTAMPTZ(3) NOT NULL,
  typed_until TIMESTAMPTZ(3) NOT NULL,
  expires_at TIMESTAMPTZ(3) NOT NULL,
  interval_seconds INTEGER NOT NULL,
  polled_at TIMESTAMPTZ(3),
  -- Nobody has it before somebody typed the code, and from then on it is theirs.
  CHECK ((state = 'asked') = (person_id IS NULL) AND (person_id IS NULL) = (session_id IS NULL))
);
CREATE UNIQUE INDEX device_request_code_challenge_key ON device_request (code_challenge);
CREATE UNIQUE INDEX device_request_user_code_digest_key ON device_request (user_code_digest);
CREATE INDEX device_request_client_id_expires_at_idx ON device_request (client_id, expires_at);
CREATE INDEX device_request_source_prefix_expires_at_idx ON device_request (source_prefix, expires_at);

ALTER TABLE authorization_transaction ADD COLUMN device_address TEXT;
