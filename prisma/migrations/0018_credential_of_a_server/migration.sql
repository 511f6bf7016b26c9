-- What a stop of a server ends: its tokens that can still be used, a few minutes' worth out of all it ever had. Over when
-- they expire and not WHERE ended_at IS NULL, so that a credential that ends still changes no column an index covers.
CREATE INDEX IF NOT EXISTS "credential_server_id_expires_at_idx" ON "credential"("server_id", "expires_at");
