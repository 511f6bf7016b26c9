-- Keys of people: passkeys and keys of the command line. Public halves only; an ended row stays, so that a key which once
-- was somebody's never becomes somebody else's, and what it signed can still be checked.
CREATE TABLE person_key (
  id TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id) ON UPDATE CASCADE ON DELETE RESTRICT,
  kind TEXT NOT NULL CONSTRAINT person_key_kind CHECK (kind IN ('passkey', 'command line')),
  name TEXT NOT NULL,
  credential_id TEXT NOT NULL,
  public_key TEXT NOT NULL,
  rp_id TEXT NOT NULL DEFAULT '',
  origin TEXT NOT NULL DEFAULT '',
  transports TEXT[] DEFAULT ARRAY[]::TEXT[],
  backed_up BOOLEAN NOT NULL DEFAULT false,
  sign_count BIGINT NOT NULL DEFAULT 0,
  event_id TEXT NOT NULL,
  created_at TIMESTAMPTZ(3) NOT NULL,
  last_used_at TIMESTAMPTZ(3),
  ended_at TIMESTAMPTZ(3),
  end_cause TEXT
);
CREATE UNIQUE INDEX person_key_credential_id_key ON person_key (credential_id);
CREATE INDEX person_key_person_id_ended_at_idx ON person_key (person_id, ended_at);

CREATE TABLE passkey_challenge (
  id TEXT PRIMARY KEY,
  challenge_digest TEXT NOT NULL,
  person_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  purpose TEXT NOT NULL,
  subject_digest TEXT NOT NULL DEFAULT '',
  created_at TIMESTAMPTZ(3) NOT NULL,
  expires_at TIMESTAMPTZ(3) NOT NULL,
  used_at TIMESTAMPTZ(3)
);
CREATE INDEX passkey_challenge_challenge_digest_idx ON passkey_challenge (challenge_digest);
CREATE INDEX passkey_challenge_expires_at_idx ON passkey_challenge (expires_at);

ALTER TABLE person_session ADD COLUMN elevated_at TIMESTAMPTZ(3), ADD COLUMN elevated_by TEXT;

ALTER TABLE decision_vote ADD COLUMN key_id TEXT, ADD COLUMN signature JSONB;

-- What was approved before votes were signed stays approved, and is marked as such; from here on nothing can be marked so.
ALTER TABLE tool_binding ADD COLUMN proof TEXT NOT NULL DEFAULT 'before signatures';
ALTER TABLE tool_binding ALTER COLUMN proof SET DEFAULT 'votes';
CREATE FUNCTION refuse_unsigned_binding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.proof <> 'votes' AND (TG_OP = 'INSERT' OR OLD.proof IS DISTINCT FROM NEW.proof) THEN
    RAISE EXCEPTION 'a binding rests on its votes' USING ERRCODE = 'check_violation';
  END IF;
  -- An old approval covers what it was for and nothing else.
  IF TG_OP = 'UPDATE' AND NEW.proof <> 'votes' AND
    (NEW.agent_id, NEW.server_id, NEW.version, NEW.revision_id, NEW.granted_digest, NEW.tool_names, NEW.tool_version_ids,
     NEW.constraints, NEW.lifetime_seconds) IS DISTINCT FROM
    (OLD.agent_id, OLD.server_id, OLD.version, OLD.revision_id, OLD.granted_digest, OLD.tool_names, OLD.tool_version_ids,
     OLD.constraints, OLD.lifetime_seconds) THEN
    RAISE EXCEPTION 'what was approved before signatures cannot be changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tool_binding_proof BEFORE INSERT OR UPDATE ON tool_binding FOR EACH ROW EXECUTE FUNCTION refuse_unsigned_binding();
