-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "installation" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "issuer" TEXT NOT NULL,
    "demo" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "feed_generation" INTEGER NOT NULL DEFAULT 1,
    "issuer_epoch" INTEGER NOT NULL DEFAULT 1,
    "issuance_stopped_reason" TEXT,
    "issuance_stopped_at" TIMESTAMPTZ(3),

    CONSTRAINT "installation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "person" (
    "id" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "display_name" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'active',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "deactivated_at" TIMESTAMPTZ(3),

    CONSTRAINT "person_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "password_credential" (
    "person_id" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "password_credential_pkey" PRIMARY KEY ("person_id")
);

-- CreateTable
CREATE TABLE "person_session" (
    "id" TEXT NOT NULL,
    "token_digest" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "auth_method" TEXT NOT NULL,
    "authn_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "end_cause" TEXT,
    "address" TEXT,
    "user_agent" TEXT,

    CONSTRAINT "person_session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_in_handoff" (
    "token_digest" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "auth_method" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "sign_in_handoff_pkey" PRIMARY KEY ("token_digest")
);

-- CreateTable
CREATE TABLE "role_grant" (
    "id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "granted_by_id" TEXT,
    "granted_at" TIMESTAMPTZ(3) NOT NULL,
    "confirmed_by_id" TEXT,
    "effective_at" TIMESTAMPTZ(3),
    "ended_by_id" TEXT,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "role_grant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "person_group" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "person_group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "group_member" (
    "id" TEXT NOT NULL,
    "group_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "added_by_id" TEXT,
    "added_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "group_member_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invitation" (
    "id" TEXT NOT NULL,
    "purpose" TEXT NOT NULL,
    "email" TEXT,
    "person_id" TEXT,
    "roles" TEXT[],
    "token_digest" TEXT NOT NULL,
    "created_by_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "redeemed_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "invitation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_token" (
    "id" TEXT NOT NULL,
    "token_digest" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "rate_bucket" (
    "key" TEXT NOT NULL,
    "tokens" DOUBLE PRECISION NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "rate_bucket_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "mcp_server" (
    "id" TEXT NOT NULL,
    "resource" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "upstream_url" TEXT,
    "upstream_credential" TEXT,
    "protocol_revision" TEXT,
    "environment" TEXT NOT NULL DEFAULT 'production',
    "state" TEXT NOT NULL DEFAULT 'active',
    "added_by_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_synced_at" TIMESTAMPTZ(3),
    "last_sync_error" TEXT,

    CONSTRAINT "mcp_server_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tool" (
    "id" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "current_version" INTEGER NOT NULL,
    "first_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "removed_at" TIMESTAMPTZ(3),

    CONSTRAINT "tool_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tool_version" (
    "id" TEXT NOT NULL,
    "tool_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "title" TEXT,
    "description" TEXT NOT NULL DEFAULT '',
    "input_schema" JSONB NOT NULL,
    "output_schema" JSONB,
    "annotations" JSONB,
    "definition_digest" TEXT NOT NULL,
    "proposed_class" TEXT NOT NULL,
    "proposed_risk" TEXT NOT NULL,
    "proposed_reason" TEXT NOT NULL,
    "class" TEXT NOT NULL DEFAULT 'unclassified',
    "risk" TEXT NOT NULL DEFAULT 'high',
    "confirmed_by_id" TEXT,
    "confirmed_at" TIMESTAMPTZ(3),
    "seen_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "tool_version_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tool_set" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "purpose" TEXT NOT NULL DEFAULT '',
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "tool_set_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tool_set_version" (
    "id" TEXT NOT NULL,
    "tool_set_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "tool_ids" TEXT[],
    "created_by_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "tool_set_version_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "registration_source" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" JSONB NOT NULL,
    "custodian_id" TEXT,
    "state" TEXT NOT NULL DEFAULT 'active',
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "registration_source_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL DEFAULT '',
    "metadata" JSONB NOT NULL,
    "metadata_digest" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "redirect_uris" TEXT[],
    "token_endpoint_auth_method" TEXT NOT NULL,
    "grant_types" TEXT[],
    "jwks" JSONB,
    "secret_digest" TEXT,
    "secret_expires_at" TIMESTAMPTZ(3),
    "source_id" TEXT NOT NULL,
    "custodian" TEXT NOT NULL,
    "quarantine_ends_at" TIMESTAMPTZ(3) NOT NULL,
    "revocation_handle" TEXT NOT NULL,
    "source_address" TEXT,
    "source_prefix" TEXT NOT NULL DEFAULT '',
    "user_agent" TEXT,
    "registered_at" TIMESTAMPTZ(3) NOT NULL,
    "claimed_at" TIMESTAMPTZ(3),
    "forgotten_at" TIMESTAMPTZ(3),
    "forgotten_cause" TEXT,

    CONSTRAINT "client_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "instance" (
    "id" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "agent_id" TEXT,
    "state" TEXT NOT NULL DEFAULT 'quarantined',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "state_cause" TEXT,
    "reviewed_digest" TEXT NOT NULL DEFAULT '',
    "state_since" TIMESTAMPTZ(3) NOT NULL,
    "quarantine_ends_at" TIMESTAMPTZ(3),

    CONSTRAINT "instance_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "agent" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "deputy_id" TEXT,
    "software_identity" TEXT NOT NULL,
    "software_identity_kind" TEXT NOT NULL,
    "client_class" TEXT NOT NULL,
    "environment" TEXT NOT NULL DEFAULT 'production',
    "state" TEXT NOT NULL DEFAULT 'pending',
    "state_cause" TEXT,
    "state_by_id" TEXT,
    "state_since" TIMESTAMPTZ(3) NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 1,
    "last_binding_version" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "agent_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "registration_request" (
    "id" TEXT NOT NULL,
    "number" SERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'draft',
    "agent_id" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "created_by_id" TEXT NOT NULL,
    "current_revision" INTEGER NOT NULL DEFAULT 0,
    "required_approvals" INTEGER NOT NULL DEFAULT 1,
    "previous_request_id" TEXT,
    "risk" TEXT NOT NULL DEFAULT 'high',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "submitted_at" TIMESTAMPTZ(3),
    "decided_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL DEFAULT 1,

    CONSTRAINT "registration_request_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "request_revision" (
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "author_id" TEXT NOT NULL,
    "purpose" JSONB NOT NULL,
    "lifetime_seconds" INTEGER NOT NULL,
    "instance_ids" TEXT[],
    "snapshot" JSONB NOT NULL,
    "snapshot_digest" TEXT NOT NULL,
    "ambient" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "request_revision_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tool_line" (
    "id" TEXT NOT NULL,
    "revision_id" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "tool_id" TEXT NOT NULL,
    "tool_version_id" TEXT NOT NULL,
    "tool_set_version_id" TEXT,
    "constraints" JSONB NOT NULL DEFAULT '{}',
    "justification" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "tool_line_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "evidence" (
    "id" TEXT NOT NULL,
    "revision_id" TEXT,
    "client_id" TEXT,
    "kind" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "value" JSONB NOT NULL,
    "method" TEXT NOT NULL,
    "established_at" TIMESTAMPTZ(3) NOT NULL,
    "proof_digest" TEXT,

    CONSTRAINT "evidence_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "decision_vote" (
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "revision_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "verdict" TEXT NOT NULL,
    "snapshot_digest" TEXT NOT NULL,
    "granted" JSONB,
    "granted_digest" TEXT,
    "reason" TEXT NOT NULL DEFAULT '',
    "decided_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "decision_vote_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "request_comment" (
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "request_comment_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "authorization_transaction" (
    "id" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "request_id" TEXT,
    "person_id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "redirect_uri" TEXT NOT NULL,
    "code_challenge" TEXT NOT NULL,
    "state" TEXT,
    "resource" TEXT NOT NULL,
    "scope" TEXT NOT NULL DEFAULT '',
    "handle_digest" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'waiting',
    "end_cause" TEXT,
    "address" TEXT,
    "user_agent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "continued_at" TIMESTAMPTZ(3),

    CONSTRAINT "authorization_transaction_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tool_binding" (
    "id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "request_id" TEXT NOT NULL,
    "revision_id" TEXT NOT NULL,
    "granted_digest" TEXT NOT NULL,
    "tool_names" TEXT[],
    "tool_version_ids" TEXT[],
    "tool_set_version_ids" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "constraints" JSONB NOT NULL DEFAULT '{}',
    "lifetime_seconds" INTEGER NOT NULL,
    "valid_from" TIMESTAMPTZ(3) NOT NULL,
    "first_issued_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "unused_ends_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "end_cause" TEXT,
    "supersedes_id" TEXT,

    CONSTRAINT "tool_binding_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL,
    "purpose" TEXT NOT NULL,
    "alg" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "private_sealed" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "activated_at" TIMESTAMPTZ(3),
    "retired_at" TIMESTAMPTZ(3),
    "published_until" TIMESTAMPTZ(3),
    "killed_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "authorization_code" (
    "code_digest" TEXT NOT NULL,
    "transaction_id" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "agent_epoch" INTEGER NOT NULL,
    "redirect_uri" TEXT NOT NULL,
    "code_challenge" TEXT NOT NULL,
    "resource" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    "family_id" TEXT,
    "browser_address" TEXT,

    CONSTRAINT "authorization_code_pkey" PRIMARY KEY ("code_digest")
);

-- CreateTable
CREATE TABLE "refresh_family" (
    "id" TEXT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "resource" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'live',
    "end_cause" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "refresh_family_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refresh_token" (
    "token_digest" TEXT NOT NULL,
    "family_id" TEXT NOT NULL,
    "generation" INTEGER NOT NULL,
    "issued_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "first_used_at" TIMESTAMPTZ(3),
    "successor_digest" TEXT,
    "replay_count" INTEGER NOT NULL DEFAULT 0,
    "used_from_prefix" TEXT,

    CONSTRAINT "refresh_token_pkey" PRIMARY KEY ("token_digest")
);

-- CreateTable
CREATE TABLE "credential" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "binding_id" TEXT NOT NULL,
    "binding_version" INTEGER NOT NULL,
    "epoch" INTEGER NOT NULL,
    "family_id" TEXT,
    "grant_kind" TEXT NOT NULL,
    "parent_event_id" TEXT,
    "token_digest" TEXT NOT NULL,
    "audience" TEXT NOT NULL,
    "tools" TEXT[],
    "kid" TEXT NOT NULL,
    "issued_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "end_cause" TEXT,

    CONSTRAINT "credential_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "resource_token" (
    "id" TEXT NOT NULL,
    "token_digest" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_by_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "resource_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "assertion_use" (
    "key" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "assertion_use_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "reveal" (
    "id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "server_id" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "minted_credential_ids" TEXT[],

    CONSTRAINT "reveal_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "guard" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "signing_key" JSONB NOT NULL,
    "encryption_key" JSONB NOT NULL,
    "thumbprint" TEXT NOT NULL,
    "server_ids" TEXT[],
    "state" TEXT NOT NULL DEFAULT 'enrolled',
    "version" TEXT NOT NULL,
    "enrolled_by_id" TEXT,
    "enrolled_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3),
    "last_acks" JSONB NOT NULL DEFAULT '{}',
    "last_report_number" BIGINT NOT NULL DEFAULT 0,
    "last_report_hash" TEXT NOT NULL DEFAULT '',
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "guard_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "guard_join_token" (
    "token_digest" TEXT NOT NULL,
    "guard_name" TEXT NOT NULL,
    "server_ids" TEXT[],
    "created_by_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "guard_join_token_pkey" PRIMARY KEY ("token_digest")
);

-- CreateTable
CREATE TABLE "feed_head" (
    "server_id" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "feed_head_pkey" PRIMARY KEY ("server_id")
);

-- CreateTable
CREATE TABLE "feed_entry" (
    "server_id" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "value" JSONB NOT NULL,
    "revocation_id" TEXT,
    "committed_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "feed_entry_pkey" PRIMARY KEY ("server_id","sequence")
);

-- CreateTable
CREATE TABLE "revocation" (
    "id" TEXT NOT NULL,
    "effect" TEXT NOT NULL,
    "target_kind" TEXT NOT NULL,
    "target_id" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "reason" TEXT NOT NULL DEFAULT '',
    "actor_kind" TEXT NOT NULL,
    "actor_id" TEXT,
    "blast_radius" JSONB NOT NULL,
    "cascade" JSONB NOT NULL,
    "sequences" JSONB NOT NULL DEFAULT '{}',
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "committed_at" TIMESTAMPTZ(3) NOT NULL,
    "swept_at" TIMESTAMPTZ(3),
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "revocation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "revocation_ack" (
    "revocation_id" TEXT NOT NULL,
    "guard_id" TEXT NOT NULL,
    "acknowledged_at" TIMESTAMPTZ(6),
    "last_accepted_at" TIMESTAMPTZ(3),
    "first_refused_at" TIMESTAMPTZ(3),

    CONSTRAINT "revocation_ack_pkey" PRIMARY KEY ("revocation_id","guard_id")
);

-- CreateTable
CREATE TABLE "audit_event" (
    "id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "outcome" TEXT NOT NULL,
    "actor_kind" TEXT NOT NULL,
    "actor_id" TEXT,
    "actor_name" TEXT NOT NULL DEFAULT '',
    "session_id" TEXT,
    "subject_kind" TEXT NOT NULL,
    "subject_id" TEXT NOT NULL,
    "agent_id" TEXT,
    "client_id" TEXT,
    "server_id" TEXT,
    "tool" TEXT,
    "request_ref" TEXT,
    "parent_ids" TEXT[],
    "address" TEXT,
    "trace_id" TEXT NOT NULL,
    "reason" TEXT NOT NULL DEFAULT '',
    "data" JSONB NOT NULL,
    "before" JSONB,
    "after" JSONB,
    "digest" TEXT NOT NULL,
    "arrival" BIGSERIAL NOT NULL,

    CONSTRAINT "audit_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_leaf" (
    "sequence" BIGINT NOT NULL,
    "event_id" TEXT NOT NULL,
    "leaf_hash" BYTEA NOT NULL,
    "sequenced_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_leaf_pkey" PRIMARY KEY ("sequence")
);

-- CreateTable
CREATE TABLE "audit_node" (
    "level" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "audit_node_pkey" PRIMARY KEY ("level","index")
);

-- CreateTable
CREATE TABLE "audit_checkpoint" (
    "size" BIGINT NOT NULL,
    "root_hash" BYTEA NOT NULL,
    "note" TEXT NOT NULL,
    "signed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_checkpoint_pkey" PRIMARY KEY ("size")
);

-- CreateTable
CREATE TABLE "sequencer_fence" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "fence" BIGINT NOT NULL DEFAULT 0,
    "holder" TEXT NOT NULL DEFAULT '',
    "settled" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "sequencer_fence_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_verification" (
    "id" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3) NOT NULL,
    "size" BIGINT NOT NULL,
    "root_hash" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "first_bad_position" BIGINT,
    "problem" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "audit_verification_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "notification" (
    "id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "href" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "read_at" TIMESTAMPTZ(3),

    CONSTRAINT "notification_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "outbox_message" (
    "id" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "destination" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),
    "failed_at" TIMESTAMPTZ(3),
    "last_error" TEXT,

    CONSTRAINT "outbox_message_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook" (
    "id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "secret_sealed" TEXT NOT NULL,
    "kinds" TEXT[],
    "created_by_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "status" INTEGER NOT NULL,
    "response" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE UNIQUE INDEX "person_subject_key" ON "person"("subject");

-- CreateIndex
CREATE UNIQUE INDEX "person_email_key" ON "person"("email");

-- CreateIndex
CREATE UNIQUE INDEX "person_session_token_digest_key" ON "person_session"("token_digest");

-- CreateIndex
CREATE INDEX "person_session_person_id_ended_at_idx" ON "person_session"("person_id", "ended_at");

-- CreateIndex
CREATE INDEX "role_grant_person_id_ended_at_idx" ON "role_grant"("person_id", "ended_at");

-- CreateIndex
CREATE UNIQUE INDEX "person_group_name_key" ON "person_group"("name");

-- CreateIndex
CREATE INDEX "group_member_group_id_ended_at_idx" ON "group_member"("group_id", "ended_at");

-- CreateIndex
CREATE INDEX "group_member_person_id_ended_at_idx" ON "group_member"("person_id", "ended_at");

-- CreateIndex
CREATE UNIQUE INDEX "invitation_token_digest_key" ON "invitation"("token_digest");

-- CreateIndex
CREATE UNIQUE INDEX "api_token_token_digest_key" ON "api_token"("token_digest");

-- CreateIndex
CREATE INDEX "api_token_person_id_ended_at_idx" ON "api_token"("person_id", "ended_at");

-- CreateIndex
CREATE UNIQUE INDEX "mcp_server_resource_key" ON "mcp_server"("resource");

-- CreateIndex
CREATE UNIQUE INDEX "tool_server_id_name_key" ON "tool"("server_id", "name");

-- CreateIndex
CREATE UNIQUE INDEX "tool_version_tool_id_version_key" ON "tool_version"("tool_id", "version");

-- CreateIndex
CREATE UNIQUE INDEX "tool_set_name_key" ON "tool_set"("name");

-- CreateIndex
CREATE UNIQUE INDEX "tool_set_version_tool_set_id_version_key" ON "tool_set_version"("tool_set_id", "version");

-- CreateIndex
CREATE UNIQUE INDEX "registration_source_name_key" ON "registration_source"("name");

-- CreateIndex
CREATE UNIQUE INDEX "client_revocation_handle_key" ON "client"("revocation_handle");

-- CreateIndex
CREATE INDEX "client_fingerprint_idx" ON "client"("fingerprint");

-- CreateIndex
CREATE INDEX "client_registered_at_idx" ON "client"("registered_at");

-- CreateIndex
CREATE INDEX "instance_client_id_owner_id_idx" ON "instance"("client_id", "owner_id");

-- CreateIndex
CREATE INDEX "instance_agent_id_idx" ON "instance"("agent_id");

-- CreateIndex
CREATE INDEX "agent_owner_id_state_idx" ON "agent"("owner_id", "state");

-- CreateIndex
CREATE UNIQUE INDEX "registration_request_number_key" ON "registration_request"("number");

-- CreateIndex
CREATE INDEX "registration_request_state_risk_submitted_at_idx" ON "registration_request"("state", "risk", "submitted_at");

-- CreateIndex
CREATE INDEX "registration_request_owner_id_state_idx" ON "registration_request"("owner_id", "state");

-- CreateIndex
CREATE UNIQUE INDEX "request_revision_request_id_number_key" ON "request_revision"("request_id", "number");

-- CreateIndex
CREATE UNIQUE INDEX "tool_line_revision_id_tool_id_key" ON "tool_line"("revision_id", "tool_id");

-- CreateIndex
CREATE INDEX "evidence_client_id_idx" ON "evidence"("client_id");

-- CreateIndex
CREATE INDEX "evidence_revision_id_idx" ON "evidence"("revision_id");

-- CreateIndex
CREATE UNIQUE INDEX "decision_vote_revision_id_subject_key" ON "decision_vote"("revision_id", "subject");

-- CreateIndex
CREATE INDEX "request_comment_request_id_created_at_idx" ON "request_comment"("request_id", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "authorization_transaction_handle_digest_key" ON "authorization_transaction"("handle_digest");

-- CreateIndex
CREATE INDEX "authorization_transaction_instance_id_status_idx" ON "authorization_transaction"("instance_id", "status");

-- CreateIndex
CREATE INDEX "authorization_transaction_request_id_status_idx" ON "authorization_transaction"("request_id", "status");

-- CreateIndex
CREATE INDEX "tool_binding_server_id_ended_at_idx" ON "tool_binding"("server_id", "ended_at");

-- CreateIndex
CREATE UNIQUE INDEX "tool_binding_agent_id_version_key" ON "tool_binding"("agent_id", "version");

-- CreateIndex
CREATE INDEX "signing_key_purpose_state_idx" ON "signing_key"("purpose", "state");

-- CreateIndex
CREATE UNIQUE INDEX "authorization_code_transaction_id_key" ON "authorization_code"("transaction_id");

-- CreateIndex
CREATE INDEX "refresh_family_agent_id_state_idx" ON "refresh_family"("agent_id", "state");

-- CreateIndex
CREATE INDEX "refresh_family_instance_id_state_idx" ON "refresh_family"("instance_id", "state");

-- CreateIndex
CREATE UNIQUE INDEX "refresh_token_family_id_generation_key" ON "refresh_token"("family_id", "generation");

-- CreateIndex
CREATE UNIQUE INDEX "credential_token_digest_key" ON "credential"("token_digest");

-- CreateIndex
CREATE INDEX "credential_agent_id_issued_at_idx" ON "credential"("agent_id", "issued_at");

-- CreateIndex
CREATE INDEX "credential_family_id_idx" ON "credential"("family_id");

-- CreateIndex
CREATE UNIQUE INDEX "resource_token_token_digest_key" ON "resource_token"("token_digest");

-- CreateIndex
CREATE INDEX "resource_token_server_id_ended_at_idx" ON "resource_token"("server_id", "ended_at");

-- CreateIndex
CREATE INDEX "assertion_use_expires_at_idx" ON "assertion_use"("expires_at");

-- CreateIndex
CREATE INDEX "reveal_agent_id_idx" ON "reveal"("agent_id");

-- CreateIndex
CREATE UNIQUE INDEX "guard_name_key" ON "guard"("name");

-- CreateIndex
CREATE UNIQUE INDEX "guard_thumbprint_key" ON "guard"("thumbprint");

-- CreateIndex
CREATE INDEX "feed_entry_revocation_id_idx" ON "feed_entry"("revocation_id");

-- CreateIndex
CREATE INDEX "revocation_target_kind_target_id_idx" ON "revocation"("target_kind", "target_id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_event_arrival_key" ON "audit_event"("arrival");

-- CreateIndex
CREATE INDEX "audit_event_kind_at_id_idx" ON "audit_event"("kind", "at", "id");

-- CreateIndex
CREATE INDEX "audit_event_actor_id_at_id_idx" ON "audit_event"("actor_id", "at", "id");

-- CreateIndex
CREATE INDEX "audit_event_agent_id_at_id_idx" ON "audit_event"("agent_id", "at", "id");

-- CreateIndex
CREATE INDEX "audit_event_subject_id_at_id_idx" ON "audit_event"("subject_id", "at", "id");

-- CreateIndex
CREATE INDEX "audit_event_at_id_idx" ON "audit_event"("at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_leaf_event_id_key" ON "audit_leaf"("event_id");

-- CreateIndex
CREATE INDEX "audit_verification_finished_at_idx" ON "audit_verification"("finished_at");

-- CreateIndex
CREATE INDEX "notification_person_id_read_at_created_at_idx" ON "notification"("person_id", "read_at", "created_at");

-- CreateIndex
CREATE INDEX "outbox_message_delivered_at_failed_at_next_attempt_at_idx" ON "outbox_message"("delivered_at", "failed_at", "next_attempt_at");

-- CreateIndex
CREATE INDEX "idempotency_key_expires_at_idx" ON "idempotency_key"("expires_at");

-- AddForeignKey
ALTER TABLE "password_credential" ADD CONSTRAINT "password_credential_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "person_session" ADD CONSTRAINT "person_session_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_grant" ADD CONSTRAINT "role_grant_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_group_id_fkey" FOREIGN KEY ("group_id") REFERENCES "person_group"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_token" ADD CONSTRAINT "api_token_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool" ADD CONSTRAINT "tool_server_id_fkey" FOREIGN KEY ("server_id") REFERENCES "mcp_server"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool_version" ADD CONSTRAINT "tool_version_tool_id_fkey" FOREIGN KEY ("tool_id") REFERENCES "tool"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool_set_version" ADD CONSTRAINT "tool_set_version_tool_set_id_fkey" FOREIGN KEY ("tool_set_id") REFERENCES "tool_set"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "instance" ADD CONSTRAINT "instance_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "client"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "instance" ADD CONSTRAINT "instance_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agent"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "registration_request" ADD CONSTRAINT "registration_request_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agent"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "request_revision" ADD CONSTRAINT "request_revision_request_id_fkey" FOREIGN KEY ("request_id") REFERENCES "registration_request"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool_line" ADD CONSTRAINT "tool_line_revision_id_fkey" FOREIGN KEY ("revision_id") REFERENCES "request_revision"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "evidence" ADD CONSTRAINT "evidence_revision_id_fkey" FOREIGN KEY ("revision_id") REFERENCES "request_revision"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "decision_vote" ADD CONSTRAINT "decision_vote_request_id_fkey" FOREIGN KEY ("request_id") REFERENCES "registration_request"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "request_comment" ADD CONSTRAINT "request_comment_request_id_fkey" FOREIGN KEY ("request_id") REFERENCES "registration_request"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool_binding" ADD CONSTRAINT "tool_binding_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agent"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool_binding" ADD CONSTRAINT "tool_binding_server_id_fkey" FOREIGN KEY ("server_id") REFERENCES "mcp_server"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "refresh_token" ADD CONSTRAINT "refresh_token_family_id_fkey" FOREIGN KEY ("family_id") REFERENCES "refresh_family"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "revocation_ack" ADD CONSTRAINT "revocation_ack_revocation_id_fkey" FOREIGN KEY ("revocation_id") REFERENCES "revocation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "notification" ADD CONSTRAINT "notification_person_id_fkey" FOREIGN KEY ("person_id") REFERENCES "person"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
