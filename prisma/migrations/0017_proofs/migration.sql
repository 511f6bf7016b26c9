-- A sign-in is a fresh proof only from when whoever vouches for it says that the person proved who they are.
ALTER TABLE sign_in_handoff ADD COLUMN proved_at TIMESTAMPTZ(3);
