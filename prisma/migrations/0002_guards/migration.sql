-- What the schema language cannot say: states held to their lists, history that only grows, singletons.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- History only grows, whoever asks: the grants say so for the application's roles, this says so for its owner.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_leaf_append_only BEFORE UPDATE OR DELETE ON audit_leaf FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_leaf_no_truncate BEFORE TRUNCATE ON audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE ON audit_checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_checkpoint_no_truncate BEFORE TRUNCATE ON audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_node_append_only BEFORE UPDATE OR DELETE ON audit_node FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_node_no_truncate BEFORE TRUNCATE ON audit_node FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_verification_append_only BEFORE UPDATE OR DELETE ON audit_verification FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_verification_no_truncate BEFORE TRUNCATE ON audit_verification FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A transaction has its id before it takes an arrival number, in this very order: so a number that is still missing
-- when every transaction that ran beside its successors has ended was rolled back, and will never come.
ALTER TABLE audit_event ALTER COLUMN arrival
  SET DEFAULT CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('audit_event_arrival_seq') END;

INSERT INTO sequencer_fence (id, fence, holder) VALUES (1, 0, '') ON CONFLICT DO NOTHING;
ALTER TABLE installation ADD CONSTRAINT installation_singleton CHECK (id = 1);
ALTER TABLE sequencer_fence ADD CONSTRAINT sequencer_fence_singleton CHECK (id = 1);

-- The intake every registration comes through until other sources are approved.
INSERT INTO registration_source (id, kind, name, value, state, created_at)
  VALUES ('src_intake', 'network', 'Intake', '{}', 'active', now()) ON CONFLICT DO NOTHING;

ALTER TABLE person ADD CONSTRAINT person_state CHECK (state IN ('active', 'deactivated'));
ALTER TABLE role_grant ADD CONSTRAINT role_grant_role CHECK (role IN ('owner', 'approver', 'auditor', 'admin'));
ALTER TABLE tool_version ADD CONSTRAINT tool_version_class CHECK (class IN ('read', 'write', 'destructive', 'external', 'unclassified'));
ALTER TABLE tool_version ADD CONSTRAINT tool_version_risk CHECK (risk IN ('low', 'medium', 'high'));
ALTER TABLE mcp_server ADD CONSTRAINT mcp_server_state CHECK (state IN ('active', 'retired'));
ALTER TABLE instance ADD CONSTRAINT instance_state CHECK (state IN ('quarantined', 'active', 'suspended', 'revoked', 'expired', 'rejected'));
ALTER TABLE agent ADD CONSTRAINT agent_state CHECK (state IN ('pending', 'active', 'suspended', 'revoked', 'expired'));
ALTER TABLE agent ADD CONSTRAINT agent_epoch CHECK (epoch >= 1);
ALTER TABLE registration_request ADD CONSTRAINT registration_request_state
  CHECK (state IN ('draft', 'submitted', 'changes requested', 'approved', 'rejected', 'withdrawn', 'expired'));
ALTER TABLE registration_request ADD CONSTRAINT registration_request_approvals CHECK (required_approvals >= 1);
ALTER TABLE authorization_transaction ADD CONSTRAINT authorization_transaction_status
  CHECK (status IN ('waiting', 'ready', 'continued', 'ended'));
ALTER TABLE refresh_family ADD CONSTRAINT refresh_family_state CHECK (state IN ('live', 'frozen', 'ended'));
ALTER TABLE signing_key ADD CONSTRAINT signing_key_state CHECK (state IN ('next', 'active', 'retired', 'killed'));
CREATE UNIQUE INDEX signing_key_one_active ON signing_key (purpose) WHERE state = 'active';
ALTER TABLE guard ADD CONSTRAINT guard_state CHECK (state IN ('enrolled', 'revoked'));

-- One open request at a time says what an agent should become.
CREATE UNIQUE INDEX registration_request_one_open ON registration_request (agent_id)
  WHERE state IN ('draft', 'submitted', 'changes requested');
-- One living instance a client and owner; those that ended are tombstones beside it.
CREATE UNIQUE INDEX instance_one_living ON instance (client_id, owner_id) WHERE state IN ('quarantined', 'active', 'suspended');
-- Registrations nobody has claimed, counted by the network they came from: what the intake limits look at.
CREATE INDEX client_unclaimed ON client (source_prefix, registered_at) WHERE claimed_at IS NULL AND forgotten_at IS NULL;
-- One live binding an agent and server.
CREATE UNIQUE INDEX tool_binding_one_live ON tool_binding (agent_id, server_id) WHERE ended_at IS NULL;
-- One active grant of a role a person.
CREATE UNIQUE INDEX role_grant_one_active ON role_grant (person_id, role) WHERE ended_at IS NULL;

-- Separation of duties as the last line: no vote by anyone who wrote a revision of the request, created it, or owns the agent.
CREATE FUNCTION refuse_own_vote() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.verdict IN ('approve', 'approve narrowed') AND EXISTS (
    SELECT 1 FROM registration_request r JOIN agent a ON a.id = r.agent_id
      JOIN person p ON p.subject = NEW.subject
     WHERE r.id = NEW.request_id AND (p.id IN (r.owner_id, r.created_by_id, a.owner_id)
       OR EXISTS (SELECT 1 FROM request_revision v WHERE v.request_id = r.id AND v.author_id = p.id))
  ) THEN
    RAISE EXCEPTION 'a person cannot approve what they wrote or own' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER decision_vote_separation BEFORE INSERT ON decision_vote FOR EACH ROW EXECUTE FUNCTION refuse_own_vote();

-- Search: words in history by tsvector; fragments are resolved against the small tables by trigram.
ALTER TABLE audit_event ADD COLUMN words tsvector GENERATED ALWAYS AS (
  to_tsvector('simple', kind || ' ' || replace(kind, '.', ' ') || ' ' || coalesce(actor_name, '') || ' ' || subject_id || ' ' || coalesce(agent_id, '') || ' ' ||
    coalesce(client_id, '') || ' ' || coalesce(tool, '') || ' ' || trace_id || ' ' || reason)) STORED;
-- Facets most events leave empty.
CREATE INDEX audit_event_client ON audit_event (client_id, at, id) WHERE client_id IS NOT NULL;
CREATE INDEX audit_event_server ON audit_event (server_id, at, id) WHERE server_id IS NOT NULL;
CREATE INDEX audit_event_tool ON audit_event (tool, at, id) WHERE tool IS NOT NULL;
CREATE INDEX audit_event_request ON audit_event (request_ref, at, id) WHERE request_ref IS NOT NULL;
CREATE INDEX audit_event_refused ON audit_event (at, id) WHERE outcome = 'refused';
CREATE INDEX audit_event_words ON audit_event USING gin (words);
CREATE INDEX agent_name_trgm ON agent USING gin (name gin_trgm_ops);
CREATE INDEX client_name_trgm ON client USING gin (name gin_trgm_ops);
CREATE INDEX person_name_trgm ON person USING gin (display_name gin_trgm_ops);
