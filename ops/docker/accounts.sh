#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: the accounts Countersign works with, none of them a superuser.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v owner="$OWNER_PASSWORD" -v gate="$GATE_PASSWORD" -v console="$CONSOLE_PASSWORD" -v sequencer="$SEQUENCER_PASSWORD" <<'SQL'
CREATE ROLE countersign_owner LOGIN PASSWORD :'owner';
CREATE ROLE countersign_gate LOGIN PASSWORD :'gate';
CREATE ROLE countersign_console LOGIN PASSWORD :'console';
CREATE ROLE countersign_sequencer LOGIN PASSWORD :'sequencer';
ALTER DATABASE countersign OWNER TO countersign_owner;
SQL
