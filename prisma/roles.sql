-- Least privilege for the application's database roles; run by the owner after every migration, idempotent.
-- The roles themselves (with their passwords) are made by the start: countersign_gate, countersign_console, countersign_sequencer.

GRANT USAGE ON SCHEMA public TO countersign_gate, countersign_console, countersign_sequencer;

-- The gate runs every verb. It can add to history and can change none of it.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO countersign_gate;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO countersign_gate;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_event, audit_verification FROM countersign_gate;
-- Nobody's key is exchanged for another after its enrolment, and none is made to never have been.
REVOKE UPDATE, DELETE, TRUNCATE ON person_key FROM countersign_gate;
GRANT UPDATE (name, sign_count, backed_up, last_used_at, ended_at, end_cause) ON person_key TO countersign_gate;
-- An arrival number is only ever the sequence's next: one made up could make the sequencer look past what comes after.
DO $$
DECLARE
  columns text;
BEGIN
  SELECT string_agg(quote_ident(column_name), ', ') INTO columns FROM information_schema.columns
   WHERE table_schema = 'public' AND table_name = 'audit_event' AND column_name <> 'arrival';
  REVOKE INSERT ON audit_event FROM countersign_gate;
  EXECUTE format('GRANT INSERT (%s) ON audit_event TO countersign_gate', columns);
END $$;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_leaf, audit_node, audit_checkpoint, sequencer_fence FROM countersign_gate;
REVOKE ALL ON _prisma_migrations FROM countersign_gate;
GRANT SELECT ON _prisma_migrations TO countersign_gate;

-- The console reads. It mints nothing, writes nothing and cannot see a secret, sealed or hashed.
DO $$
DECLARE
  t text;
  hidden text[];
  visible text;
BEGIN
  REVOKE ALL ON ALL TABLES IN SCHEMA public FROM countersign_console;
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN
    ('sign_in_handoff', 'guard_join_token', 'authorization_code', 'refresh_token',
     'assertion_use', 'idempotency_key', 'passkey_challenge', 'rate_bucket', '_prisma_migrations')
  LOOP
    hidden := CASE t
      WHEN 'person_session' THEN ARRAY['token_digest']
      WHEN 'password_credential' THEN ARRAY['hash']
      WHEN 'api_token' THEN ARRAY['token_digest']
      WHEN 'invitation' THEN ARRAY['token_digest']
      WHEN 'mcp_server' THEN ARRAY['upstream_credential']
      WHEN 'client' THEN ARRAY['secret_digest', 'revocation_handle', 'registration_token_digest', 'former_registration_token_digest']
      WHEN 'signing_key' THEN ARRAY['private_sealed']
      WHEN 'webhook' THEN ARRAY['secret_sealed', 'former_secret_sealed']
      WHEN 'credential' THEN ARRAY['token_digest']
      WHEN 'resource_token' THEN ARRAY['token_digest']
      WHEN 'device_request' THEN ARRAY['code_challenge', 'user_code_digest', 'number']
      ELSE ARRAY[]::text[]
    END;
    SELECT string_agg(quote_ident(column_name), ', ') INTO visible
      FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = t AND column_name <> ALL (hidden);
    EXECUTE format('GRANT SELECT (%s) ON %I TO countersign_console', visible, t);
  END LOOP;
END $$;

-- The sequencer orders history and signs its heads. Nobody else writes there.
GRANT SELECT ON audit_event TO countersign_sequencer;
GRANT SELECT, INSERT ON audit_leaf, audit_node, audit_checkpoint TO countersign_sequencer;
GRANT SELECT, UPDATE ON sequencer_fence TO countersign_sequencer;
GRANT SELECT ON signing_key, installation TO countersign_sequencer;

-- Jobs are enqueued by verbs in their own transaction and run by the worker; both use the gate's role. The queue's
-- tables have row security without a policy, which shows their rows to their owner alone.
GRANT USAGE ON SCHEMA graphile_worker TO countersign_gate;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA graphile_worker TO countersign_gate;
REVOKE INSERT, UPDATE, DELETE ON graphile_worker.migrations FROM countersign_gate;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA graphile_worker TO countersign_gate;
DO $$
DECLARE
  t text;
BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'graphile_worker' AND rowsecurity
  LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_policies WHERE schemaname = 'graphile_worker' AND tablename = t AND policyname = 'gate') THEN
      EXECUTE format('CREATE POLICY gate ON graphile_worker.%I TO countersign_gate USING (true) WITH CHECK (true)', t);
    END IF;
  END LOOP;
END $$;
