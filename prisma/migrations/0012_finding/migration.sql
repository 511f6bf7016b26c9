-- What a name is found by: its words in lower case. Punctuation parts words here as it does in a search, so that
-- PostgreSQL's parser never takes `notes.example.com` or `create_issue` for one word; characters nobody sees are left
-- out, so that a name with one inside is found by what it looks like.
CREATE FUNCTION name_words(name TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT to_tsvector('pg_catalog.simple'::regconfig, regexp_replace(
    regexp_replace(name, '[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0]', '', 'g'),
    '[^a-zA-Z0-9\u00AA-\uFFFD\U00010000-\U0010FFFF]+', ' ', 'g'))
$$;

CREATE INDEX agent_name_words ON agent USING gin (name_words(name));
CREATE INDEX agent_name_prefix ON agent (lower(name) text_pattern_ops);
CREATE INDEX client_name_words ON client USING gin (name_words(name));
CREATE INDEX client_name_prefix ON client (lower(name) text_pattern_ops);
CREATE INDEX tool_name_words ON tool USING gin (name_words(name));
CREATE INDEX tool_name_prefix ON tool (lower(name) text_pattern_ops);

-- The requests about an agent, and the agents somebody answers for in the owner's absence.
CREATE INDEX registration_request_agent_id_idx ON registration_request (agent_id);
CREATE INDEX registration_request_created_by_id_idx ON registration_request (created_by_id);
CREATE INDEX instance_owner_id_idx ON instance (owner_id);
CREATE INDEX registration_request_decided_at_idx ON registration_request (decided_at);
CREATE INDEX agent_deputy_id_idx ON agent (deputy_id);

-- When an approval ends: by its clock once a credential was issued, unused by its own date before that.
CREATE INDEX tool_binding_ends ON tool_binding
  ((CASE WHEN first_issued_at IS NULL THEN unused_ends_at ELSE expires_at END), id) WHERE ended_at IS NULL;

-- An event by its digest: the leaf is hashed from it. Kept by the sequencer, beside what every event writes.
CREATE INDEX audit_leaf_hash ON audit_leaf USING hash (leaf_hash);
