-- A sign-in is a fresh proof only from when whoever vouches for it says that the person proved who they are.
ALTER TABLE sign_in_handoff ADD COLUMN proved_at TIMESTAMPTZ(3);

-- A reset link of an approver or admin makes whoever holds it that person: a second admin has to want it, too.
ALTER TABLE invitation ADD COLUMN confirmed_at TIMESTAMPTZ(3), ADD COLUMN confirmed_by_id TEXT;

-- A key that was removed stays removed, from the moment it was: only an earlier end can be written over an end.
CREATE FUNCTION refuse_key_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.ended_at IS NULL OR NEW.ended_at > OLD.ended_at THEN
    RAISE EXCEPTION 'a removed key stays removed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER person_key_end BEFORE UPDATE ON person_key FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL)
  EXECUTE FUNCTION refuse_key_revival();
