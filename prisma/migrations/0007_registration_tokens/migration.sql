-- The registration access token of a client (RFC 7592), by its digest, and the one before it: that one works until its
-- successor has been used, so that an answer lost on its way locks nobody out.
ALTER TABLE client ADD COLUMN registration_token_digest TEXT, ADD COLUMN former_registration_token_digest TEXT;
