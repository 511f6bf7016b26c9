-- What an anonymous caller got at the server's own address, last time somebody asked: `answers` means that it can be
-- used without its guard.
ALTER TABLE mcp_server
  ADD COLUMN probe_outcome TEXT CHECK (probe_outcome IN ('answers', 'refuses', 'unreachable', 'unknown')),
  ADD COLUMN probe_detail TEXT NOT NULL DEFAULT '',
  ADD COLUMN probed_at TIMESTAMPTZ(3),
  ADD COLUMN probe_since TIMESTAMPTZ(3);

-- When a server's tools are read by themselves. Those known so far start within a day, not all at once.
ALTER TABLE mcp_server
  ADD COLUMN retired_at TIMESTAMPTZ(3),
  ADD COLUMN sync_every_seconds INTEGER DEFAULT 86400 CHECK (sync_every_seconds BETWEEN 900 AND 604800),
  ADD COLUMN next_sync_at TIMESTAMPTZ(3),
  ADD COLUMN sync_failures INTEGER NOT NULL DEFAULT 0;
UPDATE mcp_server SET next_sync_at = now() + random() * interval '1 day' WHERE last_synced_at IS NOT NULL;

-- Two tokens of one resource overlap while its holder changes over; the last use says when the old one is not missed.
ALTER TABLE resource_token ADD COLUMN last_used_at TIMESTAMPTZ(3), ADD COLUMN successor_id TEXT;

-- A webhook may rest, by an admin's hand or because nothing has reached it for days, and may change its secret while
-- the former one still signs beside it.
ALTER TABLE webhook
  ADD COLUMN name TEXT NOT NULL DEFAULT '',
  ADD COLUMN paused_at TIMESTAMPTZ(3),
  ADD COLUMN pause_cause TEXT,
  ADD COLUMN failing_since TIMESTAMPTZ(3),
  ADD COLUMN former_secret_sealed TEXT,
  ADD COLUMN former_secret_ends_at TIMESTAMPTZ(3),
  ADD CONSTRAINT webhook_pause CHECK ((paused_at IS NULL) = (pause_cause IS NULL)),
  ADD CONSTRAINT webhook_former_secret CHECK ((former_secret_sealed IS NULL) = (former_secret_ends_at IS NULL));

-- Each try to deliver a message and what came of it. `excerpt` is the beginning of what the other side answered.
CREATE TABLE delivery_attempt (
  id TEXT PRIMARY KEY,
  message_id TEXT NOT NULL REFERENCES outbox_message (id) ON UPDATE CASCADE ON DELETE CASCADE,
  at TIMESTAMPTZ(3) NOT NULL,
  status INTEGER,
  took_ms INTEGER NOT NULL,
  problem TEXT NOT NULL DEFAULT '',
  excerpt TEXT NOT NULL DEFAULT ''
);
CREATE INDEX delivery_attempt_message_id_id_idx ON delivery_attempt (message_id, id);
CREATE INDEX delivery_attempt_at_idx ON delivery_attempt (at);
CREATE INDEX outbox_message_destination_id_idx ON outbox_message (destination, id);

-- An admin's word that a tool is the same one under another name. It grants nothing: it prefills the change requests of
-- those who held the old one.
CREATE TABLE tool_succession (
  id TEXT PRIMARY KEY,
  server_id TEXT NOT NULL REFERENCES mcp_server (id) ON UPDATE CASCADE ON DELETE RESTRICT,
  from_tool_id TEXT NOT NULL REFERENCES tool (id) ON UPDATE CASCADE ON DELETE RESTRICT,
  to_tool_id TEXT NOT NULL REFERENCES tool (id) ON UPDATE CASCADE ON DELETE RESTRICT,
  from_digest TEXT NOT NULL,
  to_digest TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  decided_by_id TEXT,
  decided_at TIMESTAMPTZ(3) NOT NULL,
  ended_at TIMESTAMPTZ(3),
  CHECK (from_tool_id <> to_tool_id)
);
CREATE UNIQUE INDEX tool_succession_living ON tool_succession (from_tool_id) WHERE ended_at IS NULL;
CREATE INDEX tool_succession_server_id_idx ON tool_succession (server_id);

-- What the last start of each kind of process was told, with secrets only as set or not set: for the page that explains
-- the configuration, since the console is given next to nothing of it.
CREATE TABLE start_report (
  role TEXT PRIMARY KEY CHECK (role IN ('all', 'gate', 'console', 'worker')),
  version TEXT NOT NULL,
  started_at TIMESTAMPTZ(3) NOT NULL,
  settings JSONB NOT NULL,
  notes TEXT[] NOT NULL DEFAULT '{}'
);
