-- A sign-in is a fresh proof only from when whoever vouches for it says that the person proved who they are.
ALTER TABLE sign_in_handoff ADD COLUMN proved_at TIMESTAMPTZ(3);

-- A reset link of an approver or admin makes whoever holds it that person: a second admin has to want it, too.
ALTER TABLE invitation ADD COLUMN confirmed_at TIMESTAMPTZ(3), ADD COLUMN confirmed_by_id TEXT;
